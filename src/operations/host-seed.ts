/** A secret number of this root, so that nobody outside knows which hosts get phased updates early. Made once. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
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
  try {
    writeFileSync(path, seed, { mode: 0o600, flag: 'wx' })
    return seed
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST') throw error
    return readFileSync(path, 'utf8') // another process was faster
  }
}
