/**
 * The RELAX NG schemas that a host's libvirt installs, read below the root folder that this libvirt sees.
 * Source: Debian's libvirt0 (12) and libvirt-common (13); libvirt's `virXMLValidateAgainstSchema` reads the same files.
 */
import { readFileSync } from 'node:fs'
import { readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { readSchema, type Schema } from '../xml/schema/grammar.ts'

const FOLDER = 'usr/share/libvirt/schemas'
const LIBRARY_FOLDERS = ['usr/lib/x86_64-linux-gnu', 'usr/lib/aarch64-linux-gnu', 'usr/lib64', 'usr/lib']

/** Release of the library below that root, as in `9.0.0`, of `libvirt.so.0 -> libvirt.so.0.9000.0`. */
export async function readInstalledRelease(root: string): Promise<string | undefined> {
  for (const folder of LIBRARY_FOLDERS) {
    const target = await readlink(join(root, folder, 'libvirt.so.0')).catch(() => '')
    const [, number, micro] = /libvirt\.so\.0\.(\d+)\.(\d+)$/.exec(target) ?? []
    if (number !== undefined && micro !== undefined) {
      return `${Math.floor(Number(number) / 1000)}.${Number(number) % 1000}.${micro}`
    }
  }
  return undefined
}

/**
 * @param file such as `domain.rng`
 * @returns undefined where the host has no such schema
 * @throws {VmpkgError} `SCHEMA_UNUSABLE` `XML_INVALID`
 */
export function readInstalledSchema(root: string, file: string): Schema | undefined {
  const first = readSchemaFile(join(root, FOLDER, file))
  if (first === undefined) return undefined
  return readSchema((name) => (name === file ? first : readSchemaFile(join(root, FOLDER, name))), file)
}

function readSchemaFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
