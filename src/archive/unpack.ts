/**
 * Unpacks a package archive into a folder, whole or not at all (formats 4.3): every check first, then a staging folder
 * beside the target, fsync, rename. Modes are 0644 and 0755 whatever the archive or the umask says.
 */
import { randomUUID } from 'node:crypto'
import { chmod, mkdir, open, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { renameDurably, syncFolder } from '../durable-file.ts'
import type { Digested } from '../model/digest.ts'
import { readArchive } from './read.ts'
import { readPackageFolder } from './read-folder.ts'
import type { ArchiveFile, ArchiveFiles } from './write.ts'

export interface UnpackOptions {
  readonly archive: Uint8Array
  /** From the signed line. */
  readonly expected: Digested
  /** Where the package shall be; its parent is made. A folder that holds something else is replaced. */
  readonly target: string
}

/** Returns the files as unpacked. @throws {VmpkgError} those of `readArchive`; the target is then untouched */
export async function unpackArchive({ archive, expected, target }: UnpackOptions): Promise<ArchiveFiles> {
  const files = await readArchive(archive, expected)
  const final = resolve(target)
  if (await holds(final, files)) return files
  const staging = `${final}.staging-${randomUUID()}`
  await mkdir(dirname(final), { recursive: true })
  try {
    await writeFiles(staging, files)
    await rm(final, { recursive: true, force: true })
    await renameDurably(staging, final)
  } finally {
    await rm(staging, { recursive: true, force: true })
  }
  return files
}

async function writeFiles(staging: string, files: ArchiveFiles): Promise<void> {
  const folders = new Set([''])
  for (const path of files.keys()) {
    const names = path.split('/')
    for (let depth = 1; depth < names.length; depth++) folders.add(names.slice(0, depth).join('/'))
  }
  for (const folder of folders) {
    await mkdir(join(staging, folder), { mode: 0o755 })
    await chmod(join(staging, folder), 0o755) // the umask had a say in `mkdir`
  }
  for (const [path, file] of files) await writeOne(join(staging, path), file)
  for (const folder of folders) await syncFolder(join(staging, folder))
}

async function writeOne(path: string, { bytes, executable }: ArchiveFile): Promise<void> {
  const mode = executable ? 0o755 : 0o644
  await using handle = await open(path, 'wx', mode)
  await handle.writeFile(bytes)
  await handle.chmod(mode)
  await handle.sync()
}

/** True where the folder is already exactly this package. One that cannot be read is not. */
async function holds(folder: string, files: ArchiveFiles): Promise<boolean> {
  const present = await readPackageFolder(folder).catch(() => undefined)
  return present?.size === files.size && [...files].every(([path, file]) => isSame(present.get(path), file))
}

function isSame(present: ArchiveFile | undefined, file: ArchiveFile): boolean {
  return (
    present !== undefined && present.executable === file.executable && Buffer.compare(present.bytes, file.bytes) === 0
  )
}
