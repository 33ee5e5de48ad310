/** A folder of its own for a test, removed afterwards whether the test passed or not. */
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

export async function makeTempFolder(t: Pick<TestContext, 'after'>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'vmpkg-test-'))
  t.after(async () => {
    await rm(folder, { recursive: true, force: true })
  })
  return folder
}

/** All names below a folder, sorted. */
export async function listTree(folder: string): Promise<readonly string[]> {
  return (await readdir(folder, { recursive: true })).toSorted()
}

/** Makes a file writable again, to damage it. */
export async function unlock(path: string): Promise<void> {
  await chmod(path, 0o600)
}
