/**
 * What of a package folder travels to clients: the manifest, the templates it names, the guest templates, the readme.
 * Recipes and image sources stay with the publisher; their result is the images.
 */
import { chmod, copyFile, mkdir, readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { verifyEntries } from '../archive/entry-policy.ts'
import type { ArchiveFile, ArchiveFiles } from '../archive/write.ts'
import { VmpkgError } from '../errors.ts'
import type { Manifest } from '../model/manifest.ts'
import { parseManifest } from '../model/manifest-schema.ts'
import { refuseSecrets } from './secrets.ts'
import { listFiles } from './tree.ts'

const ALWAYS = new Set(['vmpkg.yaml', 'README.md', 'LICENSE'])

/**
 * Paths of the files of a template folder that ship, in order.
 * @throws {VmpkgError} `MANIFEST_INVALID` when the manifest names a file or folder that is not there
 */
async function listShippedFiles(packageDir: string, manifest: Manifest): Promise<readonly string[]> {
  const present = await readdir(packageDir)
  const files = present.filter((name) => isListed(name, manifest))
  const guest = guestFolder(manifest)
  if (guest !== undefined) {
    if (!present.includes(guest)) throw missing(manifest, guest)
    files.push(...(await listFiles(join(packageDir, guest))).map((path) => `${guest}/${path}`))
  }
  for (const template of Object.values(manifest.templates)) {
    if (template !== undefined && !files.includes(template)) throw missing(manifest, template)
  }
  return files.toSorted()
}

/**
 * Copies the shipped files into `target`, which must not exist.
 * @throws {VmpkgError} `MANIFEST_INVALID` when the manifest names a file or folder that is not there
 */
export async function copyPackageFiles(packageDir: string, manifest: Manifest, target: string): Promise<void> {
  for (const file of await listShippedFiles(packageDir, manifest)) {
    await mkdir(dirname(join(target, file)), { recursive: true, mode: 0o755 })
    await copyFile(join(packageDir, file), join(target, file))
    await chmod(join(target, file), 0o644)
  }
}

/**
 * What of a template folder would travel, as the archive would have it.
 * @throws {VmpkgError} `MANIFEST_INVALID` `SECRET_REFUSED` `ARCHIVE_ENTRY_REFUSED`
 */
export async function readShipped(
  packageDir: string,
): Promise<{ readonly manifest: Manifest; readonly files: ArchiveFiles }> {
  const manifest = parseManifest(await readFile(join(packageDir, 'vmpkg.yaml'), 'utf8'))
  const paths = await listShippedFiles(packageDir, manifest)
  const files = new Map<string, ArchiveFile>()
  for (const path of paths) {
    files.set(path, { bytes: new Uint8Array(await readFile(join(packageDir, path))), executable: false })
  }
  verifyEntries([...files].map(([path, { bytes }]) => ({ path, type: 'File', sizeBytes: bytes.length })))
  refuseSecrets(files)
  return { manifest, files }
}

/** True for what a package consists of; anything else in it got there by mistake (threats P05). */
function isListed(path: string, manifest: Manifest): boolean {
  const guest = guestFolder(manifest)
  if (guest !== undefined && path.startsWith(`${guest}/`)) return true
  return !path.includes('/') && (ALWAYS.has(path) || path.endsWith('.hbs'))
}

/** @throws {VmpkgError} `ARCHIVE_ENTRY_REFUSED` with every file in `details.files` */
export function refuseUnlisted(paths: Iterable<string>, manifest: Manifest): void {
  const found = [...paths].filter((path) => !isListed(path, manifest))
  if (found.length === 0) return
  throw new VmpkgError(
    'ARCHIVE_ENTRY_REFUSED',
    `These files are no part of a package: ${found.slice(0, 10).join(', ')}`,
    {
      hint: 'A package is vmpkg.yaml, README.md, LICENSE, templates (*.hbs) and the guest folder; remove the others.',
      details: { files: found },
    },
  )
}

function guestFolder({ guest }: Manifest): string | undefined {
  return guest?.files.replace(/\/$/, '')
}

function missing(manifest: Manifest, path: string): VmpkgError {
  return new VmpkgError(
    'MANIFEST_INVALID',
    `The manifest of ${manifest.name} names ${JSON.stringify(path)}, which is not there`,
    {
      hint: 'Add the file to the package folder or correct vmpkg.yaml.',
    },
  )
}
