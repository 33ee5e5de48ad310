/**
 * One publisher at a time in a registry folder (formats 1.2, threats P01). The lock is SQLite's on an empty database file:
 * the kernel drops it when its process dies, so there is no stale lock to judge. Source: sqlite.org/lockingv3.
 */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { VmpkgError } from '../errors.ts'

const WAIT_MS = 30_000
const RETRY_MS = 25

/** Runs `change` while holding the lock; waits for another publisher. @throws {VmpkgError} `LOCK_HELD` */
export async function withRegistryLock<T>(folder: string, change: () => Promise<T>, waitMs = WAIT_MS): Promise<T> {
  using database = openLockFile(join(folder, '.lock'))
  for (let waitedMs = 0; !tryLock(database); waitedMs += RETRY_MS) {
    if (waitedMs >= waitMs) {
      throw new VmpkgError('LOCK_HELD', `Another publisher is at work in ${JSON.stringify(folder)}`, {
        hint: 'Wait for it to finish and try again.',
      })
    }
    await sleep(RETRY_MS)
  }
  return await change()
}

function openLockFile(path: string): DatabaseSync {
  try {
    return new DatabaseSync(path, { timeout: 0 })
  } catch (error) {
    throw new VmpkgError('LOCK_HELD', `Cannot open the lock ${JSON.stringify(path)}`, {
      hint: 'Check that the folder is a registry and that you may write to it.',
      cause: error,
    })
  }
}

function tryLock(database: DatabaseSync): boolean {
  try {
    database.exec('BEGIN EXCLUSIVE')
    return true
  } catch (error) {
    if (error instanceof Error && /locked/.test(error.message)) return false
    throw error
  }
}
