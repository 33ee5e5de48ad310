/**
 * Reads a package folder into memory under the same policy as an archive: plain files only, no link followed, bounded.
 * Used on publishers' folders and on unpacked packages, which something else may have touched since.
 */
import { constants } from 'node:fs'
import { lstat, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { VmpkgError } from '../errors.ts'
import { ARCHIVE_LIMITS, verifyEntries } from './entry-policy.ts'
import { type ArchiveFile, type ArchiveFiles, MANIFEST_PATH } from './write.ts'

/** @throws {VmpkgError} `ARCHIVE_INVALID` `ARCHIVE_ENTRY_REFUSED` */
export async function readPackageFolder(folder: string): Promise<ArchiveFiles> {
  const paths = await listFiles(folder)
  const files = new Map<string, ArchiveFile>()
  let totalBytes = 0
  for (const path of paths.toSorted()) {
    const file = await readPlainFile(join(folder, path), path, ARCHIVE_LIMITS.totalBytes - totalBytes)
    totalBytes += file.bytes.length
    files.set(path, file)
  }
  verifyEntries([...files].map(([path, { bytes }]) => ({ path, type: 'File', sizeBytes: bytes.length })))
  if (!files.has(MANIFEST_PATH)) {
    throw new VmpkgError('ARCHIVE_INVALID', `${JSON.stringify(folder)} has no ${MANIFEST_PATH}`, {
      hint: 'Name the folder of one package.',
    })
  }
  return files
}

async function listFiles(folder: string): Promise<readonly string[]> {
  const paths: string[] = []
  const pending = ['']
  for (let parent = pending.pop(); parent !== undefined; parent = pending.pop()) {
    for (const entry of await readFolder(join(folder, parent))) {
      const path = parent === '' ? entry.name : `${parent}/${entry.name}`
      if (entry.isDirectory()) pending.push(path)
      else if (entry.isFile()) paths.push(path)
      else throw refuse(path, 'is neither a plain file nor a folder')
      if (paths.length + pending.length > ARCHIVE_LIMITS.entries) throw refuse(path, 'is one entry too many')
    }
  }
  return paths
}

async function readFolder(path: string) {
  try {
    if (!(await lstat(path)).isDirectory()) throw new Error('not a folder')
    return await readdir(path, { withFileTypes: true })
  } catch (error) {
    throw new VmpkgError('ARCHIVE_INVALID', `Cannot read the package folder ${JSON.stringify(path)}`, { cause: error })
  }
}

async function readPlainFile(file: string, path: string, maxBytes: number): Promise<ArchiveFile> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    (error: unknown) => {
      throw new VmpkgError('ARCHIVE_INVALID', `Cannot read ${JSON.stringify(path)}`, { cause: error })
    },
  )
  try {
    const stat = await handle.stat()
    if (!stat.isFile()) throw refuse(path, 'is not a plain file')
    if (stat.size > Math.min(maxBytes, ARCHIVE_LIMITS.fileBytes)) throw refuse(path, 'is too large')
    return { bytes: new Uint8Array(await handle.readFile()), executable: (stat.mode & 0o100) !== 0 }
  } finally {
    await handle.close()
  }
}

function refuse(path: string, problem: string): VmpkgError {
  return new VmpkgError('ARCHIVE_ENTRY_REFUSED', `${JSON.stringify(path.slice(0, 160))} ${problem}`)
}
