/** A secret number of this root, so that nobody outside knows which hosts get phased updates early. Made once. */
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { syncFolderNow } from '../durable-file.ts'
import { systemErrorCode } from '../errors.ts'
import type { Workspace } from './workspace.ts'

export function hostSeed({ outside, paths }: Workspace): string {
  const path = join(paths.state, 'seed')
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error
  }
  mkdirSync(dirname(path), { recursive: true })
  const seed = Buffer.from(outside.randomness.bytes(16)).toString('hex')
  const temporary = `${path}.${seed.slice(0, 8)}.tmp`
  try {
    writeFileSync(temporary, seed, { mode: 0o600, flag: 'wx', flush: true })
    linkSync(temporary, path) // unlike a rename it gives way to a process that was faster
    syncFolderNow(dirname(path))
    return seed
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST') throw error
    return readFileSync(path, 'utf8')
  } finally {
    rmSync(temporary, { force: true })
  }
}
