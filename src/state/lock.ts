/**
 * One writer per root. The lock is SQLite's lock on an otherwise empty file: the kernel drops it with the process, so a
 * dead holder never blocks and nobody has to judge whether a lock is stale. A note beside it names the holder.
 *
 * Source: threats L03. Test oracle: child processes that wait, that are killed, and that hold on.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { VmpkgError } from '../errors.ts'
import { whyNotWritable } from '../read-only.ts'
import { isAlive, type ProcessIdentity, readOwnIdentity } from './process-identity.ts'

export interface LockOptions {
  /** The lock file; its folder must exist. */
  readonly path: string
  /** What the holder is doing, as in `vmpkg install router-uni`; shown to those who wait. */
  readonly command: string
  /** Milliseconds to wait for another holder. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal | undefined
  /** Called once when there is somebody to wait for. */
  readonly onWait?: (holder: LockHolder | undefined) => void
}

export interface LockHolder extends ProcessIdentity {
  readonly command: string
}

const DEFAULT_TIMEOUT_MS = 60_000
const RETRY_MS = 50
/** A holder writes its note a moment after it has the lock. */
const PATIENT_ATTEMPTS = 5
const SQLITE_BUSY = 5
const SQLITE_FULL = 13

/**
 * Holds the lock while `use` runs.
 *
 * @throws {VmpkgError} `LOCK_HELD` after the timeout; `ABORTED` when the signal fires first; `NO_SPACE` on a full disk;
 *   `NO_RIGHTS`, also where the file system is read-only.
 */
export async function withLock<T>(options: LockOptions, use: () => Promise<T>): Promise<T> {
  const lock = await acquireLock(options)
  try {
    return await use()
  } finally {
    await lock[Symbol.asyncDispose]()
  }
}

/** @throws {VmpkgError} `LOCK_HELD`, `ABORTED`, `NO_SPACE`, `NO_RIGHTS` */
export async function acquireLock(options: LockOptions): Promise<AsyncDisposable> {
  const { path, command, timeoutMs = DEFAULT_TIMEOUT_MS, signal, onWait } = options
  const database = open(path)
  try {
    const attempts = Math.max(1, Math.ceil(timeoutMs / RETRY_MS))
    let isTold = false
    for (let attempt = 0; !tryLock(database, path); attempt++) {
      const holder = findLockHolder(path)
      if (!isTold && (holder !== undefined || attempt === PATIENT_ATTEMPTS)) {
        isTold = true
        onWait?.(holder)
      }
      if (attempt >= attempts) throw lockHeld(holder)
      if (signal?.aborted) throw new VmpkgError('ABORTED', 'The wait for another vmpkg was interrupted')
      await delay(RETRY_MS)
    }
    writeHolder(path, { ...readOwnIdentity(), command })
  } catch (error) {
    database.close()
    throw error
  }
  return {
    async [Symbol.asyncDispose]() {
      rmSync(noteOf(path), { force: true })
      database.close()
    },
  }
}

/** Who holds the lock, where that can be said. */
export function findLockHolder(path: string): LockHolder | undefined {
  try {
    const note: unknown = JSON.parse(readFileSync(noteOf(path), 'utf8'))
    return isHolder(note) && isAlive(note) ? note : undefined
  } catch {
    return undefined // no note, or half of one: it is a courtesy only
  }
}

/** SQLite itself opens a file that it may not write for reading, and then says that it has the lock. */
function open(path: string): DatabaseSync {
  const refusal = whyNotWritable(path, undefined)
  if (refusal !== undefined) throw refusal
  try {
    return new DatabaseSync(path, { timeout: 0 })
  } catch (error) {
    throw cannotLock(path, error)
  }
}

function tryLock(database: DatabaseSync, path: string): boolean {
  try {
    database.exec('BEGIN IMMEDIATE')
    return true
  } catch (error) {
    const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : undefined
    if (code === SQLITE_BUSY) return false
    if (code !== SQLITE_FULL) throw cannotLock(path, error)
    throw new VmpkgError('NO_SPACE', `The disk is full: ${JSON.stringify(path)} cannot be locked`, {
      hint: 'Free some space there. If it is the state of vmpkg, vmpkg gc removes what nobody uses, also on a full disk.',
      details: { path },
      cause: error,
    })
  }
}

function cannotLock(path: string, cause: unknown): VmpkgError {
  return (
    whyNotWritable(path, cause) ??
    new VmpkgError('STATE_INVALID', `The lock file ${path} cannot be locked`, {
      hint: 'If it is no file of vmpkg’s, move it away; it holds nothing.',
      details: { path },
      cause,
    })
  )
}

function writeHolder(path: string, holder: LockHolder): void {
  // In place: half a note is as good as none, and a file beside it would stay where its writer is killed.
  writeFileSync(noteOf(path), JSON.stringify(holder), { mode: 0o600 })
}

function noteOf(path: string): string {
  return `${path}.holder`
}

function isHolder(value: unknown): value is LockHolder {
  if (typeof value !== 'object' || value === null) return false
  const { pid, startTicks, bootId, command } = value as Partial<Record<string, unknown>>
  return [pid, startTicks].every(Number.isSafeInteger) && [bootId, command].every((field) => typeof field === 'string')
}

function lockHeld(holder: LockHolder | undefined): VmpkgError {
  const who = holder === undefined ? 'Another vmpkg' : `Process ${holder.pid} (${holder.command.slice(0, 200)})`
  return new VmpkgError('LOCK_HELD', `${who} is changing things here`, {
    hint: 'Wait until it is done and try again.',
    ...(holder && { details: { pid: holder.pid, command: holder.command } }),
  })
}
