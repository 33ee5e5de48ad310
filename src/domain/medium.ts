/**
 * The configuration medium of a guest (decisions 9): a small ISO 9660 volume labelled VMPKGCFG that the guest finds by
 * its label, reads once and lets go. Equal files give equal bytes; the file is private to its owner, because it carries
 * the seed and, for some packages, keys. Test oracle: xorriso's own listing of the volume.
 */
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, mkdtemp, open, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { renameDurably } from '../durable-file.ts'
import { VmpkgError } from '../errors.ts'
import type { Processes } from '../ports.ts'

const LABEL = 'VMPKGCFG'
/** Every time stamp on the volume: 2026-01-01T00:00:00Z. Nothing in a guest depends on it. */
const EPOCH = 1_767_225_600
const MAXIMUM_FILES = 32
/** After the name of a medium: files to be put on it or taken from it, and the volume before it has its name. */
const LEFT = /^(?:files-[A-Za-z0-9]{6}|[0-9a-f]{8})$/
const MAXIMUM_FILE_BYTES = 1024 * 1024

export interface MediumOptions {
  /** Flat names of `[a-z0-9._-]`; at most 32 files of 1 MiB, which is what guests accept. */
  readonly files: ReadonlyMap<string, Uint8Array>
  /** Path of the volume; replaced at once when it exists. Its folder must exist. */
  readonly target: string
  readonly processes: Processes
  readonly signal?: AbortSignal
}

/**
 * Writes the volume, mode 0600.
 * @throws {VmpkgError} `RENDER_REFUSED` for a name or size that guests do not take; `TOOL_MISSING`; `BUILD_FAILED`; `ABORTED`
 */
export async function writeMedium(options: MediumOptions): Promise<void> {
  checkFiles(options.files)
  await removeLeft(options.target)
  // Both names begin with the target's, so that what a killed command leaves is known by it.
  const folder = await mkdtemp(`${options.target}.files-`)
  const staged = `${options.target}.${randomBytes(4).toString('hex')}`
  try {
    await stageFiles(join(folder, 'files'), options.files)
    await runXorriso(options, join(folder, 'files'), staged)
    // Before the folder above is synced: after a power cut a seed would lie there as long as the machine.
    await rm(folder, { recursive: true, force: true })
    await syncFile(staged)
    await renameDurably(staged, options.target)
  } finally {
    await rm(folder, { recursive: true, force: true })
    await rm(staged, { force: true })
  }
}

/**
 * The files of a volume that vmpkg wrote.
 * @throws {VmpkgError} `TOOL_MISSING`, `BUILD_FAILED` for a file that is none
 */
export async function readMedium(
  path: string,
  { processes, signal }: Pick<MediumOptions, 'processes' | 'signal'>,
): Promise<ReadonlyMap<string, Uint8Array>> {
  await removeLeft(path)
  const folder = await mkdtemp(`${path}.files-`)
  try {
    const target = join(folder, 'files')
    const args = ['-osirrox', 'on', '-indev', path, '-extract', '/', target]
    const { exitCode, stderr } = await processes.run('xorriso', args, {
      env: { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8', TZ: 'UTC' },
      ...(signal === undefined ? {} : { signal }),
    })
    if (exitCode !== 0) {
      const said = JSON.stringify(stderr.trim().slice(-500))
      throw new VmpkgError('BUILD_FAILED', `xorriso could not read ${basename(path)}: ${said}`, {
        hint: 'Make the machine anew, or restore the file from a backup.',
      })
    }
    await chmod(target, 0o700)
    const files = new Map<string, Uint8Array>()
    for (const name of await readdir(target)) files.set(name, await readFile(join(target, name)))
    return files
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
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

async function stageFiles(folder: string, files: MediumOptions['files']): Promise<void> {
  await mkdir(folder, { mode: 0o755 })
  for (const [name, bytes] of files) {
    const path = join(folder, name)
    await writeFile(path, bytes, { mode: 0o600 })
    await chmod(path, 0o644)
    await utimes(path, EPOCH, EPOCH)
  }
  await chmod(folder, 0o755)
  await utimes(folder, EPOCH, EPOCH)
}

async function runXorriso(options: MediumOptions, folder: string, target: string): Promise<void> {
  await writeFile(target, '', { mode: 0o600 })
  await chmod(target, 0o600)
  const args = ['-as', 'mkisofs', '-quiet', '-V', LABEL, '-R', '-r', '-o', target, folder]
  const result = await options.processes.run('xorriso', args, {
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8', TZ: 'UTC', SOURCE_DATE_EPOCH: String(EPOCH) },
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  })
  if (result.exitCode !== 0) {
    const said = JSON.stringify(result.stderr.trim().slice(-500))
    throw new VmpkgError('BUILD_FAILED', `xorriso could not write ${basename(options.target)}: ${said}`, {
      hint: 'Check the free space and the rights of the folder.',
    })
  }
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

function refused(reason: string): VmpkgError {
  return new VmpkgError('RENDER_REFUSED', `Cannot write the configuration medium: ${reason}`, {
    hint: 'Correct the files below guest/ of the package.',
  })
}
