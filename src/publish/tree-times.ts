/** One time stamp for a whole tree, links and folders included: what the file system makers copy into the images. */
import { lutimes, readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** Sets atime and mtime of every entry below and including `root`; `epoch` in seconds. */
export async function setTreeTimes(root: string, epoch: number): Promise<void> {
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    await lutimes(join(entry.parentPath, entry.name), epoch, epoch)
  }
  await lutimes(root, epoch, epoch)
}
