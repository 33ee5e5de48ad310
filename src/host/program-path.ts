/** Where a program is, of a list of folders. */
import { access, constants } from 'node:fs/promises'
import { join } from 'node:path'

/** The first file of that name which this user may execute: its path, or `undefined`. Folders are asked in their order. */
export async function findExecutable(name: string, folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders) {
    const path = join(folder, name)
    const found = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (found) return path
  }
  return undefined
}
