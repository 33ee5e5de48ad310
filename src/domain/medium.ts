/**
 * The configuration medium of a guest (decisions 9): a small ISO 9660 volume labelled VMPKGCFG that the guest finds by
 * its label, reads once and lets go. Equal files give equal bytes; the file is private to its owner, because it carries
 * the seed and, for some packages, keys.
 */
import { readdir, readFile, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { replaceFile } from '../durable-file.ts'
import { VmpkgError } from '../errors.ts'
import { formatIso, parseIso } from '../image/iso9660.ts'

const LABEL = 'VMPKGCFG'
/** Every time stamp on the volume: 2026-01-01T00:00:00Z. Nothing in a guest depends on it. */
const EPOCH = 1_767_225_600
const MAXIMUM_FILES = 32
/** After the name of a medium: a volume before it has its name, and what earlier versions put files into. */
const LEFT = /^(?:[0-9a-f-]{36}\.tmp|files-[A-Za-z0-9]{6}|[0-9a-f]{8})$/
const MAXIMUM_FILE_BYTES = 1024 * 1024

export interface MediumOptions {
  /** Flat names of `[a-z0-9._-]`; at most 32 files of 1 MiB, which is what guests accept. */
  readonly files: ReadonlyMap<string, Uint8Array>
  /** Path of the volume; replaced at once when it exists. Its folder must exist. */
  readonly target: string
}

/** Writes the volume, mode 0600. @throws {VmpkgError} `RENDER_REFUSED` for a name or size that guests do not take */
export async function writeMedium({ files, target }: MediumOptions): Promise<void> {
  checkFiles(files)
  await removeLeft(target)
  await replaceFile(target, formatIso({ label: LABEL, files, seconds: EPOCH }), { mode: 0o600 })
}

/** The files of a volume that vmpkg wrote. @throws {VmpkgError} `IMAGE_INVALID` for a file that is none */
export async function readMedium(path: string): Promise<ReadonlyMap<string, Uint8Array>> {
  await removeLeft(path)
  return parseIso(await readFile(path), basename(path))
}

/** What killed commands have left beside a medium; its machine's lock is held. */
async function removeLeft(path: string): Promise<void> {
  const [folder, own] = [dirname(path), basename(path)]
  for (const name of await readdir(folder)) {
    const rest = name.startsWith(`${own}.`) ? name.slice(own.length + 1) : ''
    if (LEFT.test(rest)) await rm(join(folder, name), { recursive: true, force: true })
  }
}

function checkFiles(files: MediumOptions['files']): void {
  if (files.size > MAXIMUM_FILES) throw refused(`${files.size} files do not fit; guests take ${MAXIMUM_FILES}`)
  for (const [name, bytes] of files) {
    const shown = JSON.stringify(name.slice(0, 80))
    if (!/^[a-z0-9][a-z0-9._-]{0,63}$/.test(name)) throw refused(`guests do not take a file called ${shown}`)
    if (bytes.length > MAXIMUM_FILE_BYTES) throw refused(`the file ${shown} is larger than 1 MiB`)
  }
}

function refused(reason: string): VmpkgError {
  return new VmpkgError('RENDER_REFUSED', `Cannot write the configuration medium: ${reason}`, {
    hint: 'Correct the files below guest/ of the package.',
  })
}
