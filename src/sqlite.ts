/**
 * Opening SQLite files as vmpkg keeps them: owner-only, write-ahead log, synced at every commit, migrated forward.
 * A crash leaves the state before or after a transaction (threats L01). Test oracle: a child killed between statements.
 */
import { closeSync, constants, existsSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { syncFolderNow } from './durable-file.ts'
import { systemErrorCode, VmpkgError } from './errors.ts'
import { onReadOnly, whyNotWritable } from './read-only.ts'

const SQLITE_READ_ONLY = 8
/** SQLITE_BUSY, READONLY, INTERRUPT, IOERR, FULL. */
const PASSING: readonly number[] = [5, 8, 9, 10, 13]

export interface OpenDatabaseOptions {
  /** Marks the file as ours, so that no other database is migrated by mistake. */
  readonly applicationId: number
  /** Statements that lead from version `i` to `i + 1`. Released ones never change. */
  readonly migrations: readonly string[]
  /** `full` survives a power cut after every commit; `normal` may lose the last commits, never the file. */
  readonly synchronous?: 'full' | 'normal'
}

/**
 * Opens or creates a database of mode 0600. The folder must exist. Close it with `close()`.
 *
 * @throws {VmpkgError} `STATE_INVALID` when the file is not ours, damaged, or of a newer vmpkg; `NO_RIGHTS`.
 */
export function openDatabase(path: string, options: OpenDatabaseOptions): DatabaseSync {
  createOwnerOnly(path)
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(path, { enableForeignKeyConstraints: true, timeout: 5000 })
    database.exec('PRAGMA trusted_schema = OFF')
    database.exec(`PRAGMA synchronous = ${options.synchronous === 'normal' ? 'NORMAL' : 'FULL'}`)
    migrate(database, path, options)
    return database
  } catch (error) {
    database?.close()
    if (isReadOnly(error)) throw whyNotWritable(path, error) ?? error
    if (error instanceof VmpkgError || isPassing(error)) throw error
    throw new VmpkgError('STATE_INVALID', `${path} cannot be opened as a database`, {
      hint: 'Restore it from a backup, or move it away to start anew.',
      cause: error,
    })
  }
}

/**
 * Runs `use` in one transaction that takes the write lock at once, or as a part of the one that is open. What throws leaves
 * everything as it was.
 */
export function inTransaction<T>(database: DatabaseSync, use: () => T): T {
  if (database.isTransaction) return use()
  begin(database)
  try {
    const result = use()
    database.exec('COMMIT')
    return result
  } catch (error) {
    throw giveUp(database, error)
  }
}

/** No word on the file itself: the disk is full, fails or is read-only. Whoever catches it must not take the file for lost. */
function isPassing(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && PASSING.includes(Number(error.errcode) & 0xff)
}

/** As `inTransaction` for work that waits in between. The write lock is held all the time. */
export async function inTransactionAsync<T>(database: DatabaseSync, use: () => Promise<T>): Promise<T> {
  begin(database)
  try {
    const result = await use()
    database.exec('COMMIT')
    return result
  } catch (error) {
    throw giveUp(database, error)
  }
}

/** @throws {VmpkgError} `NO_RIGHTS` where nothing can be written */
function begin(database: DatabaseSync): void {
  try {
    database.exec('BEGIN IMMEDIATE')
  } catch (error) {
    throw giveUp(database, error)
  }
}

/** Everything is as it was. @returns what to throw: SQLite does not say which file it may not write, and why */
function giveUp(database: DatabaseSync, error: unknown): unknown {
  if (database.isTransaction) database.exec('ROLLBACK')
  const path = isReadOnly(error) ? database.location() : null
  return path === null ? error : (whyNotWritable(path, error) ?? error)
}

function isReadOnly(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === SQLITE_READ_ONLY
}

function createOwnerOnly(path: string): void {
  try {
    const isNew = !existsSync(path)
    // The side files of SQLite take over the mode of the database.
    closeSync(openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600))
    if (isNew) syncFolderNow(dirname(path))
  } catch (cause) {
    const code = systemErrorCode(cause)
    if (code === 'EROFS') throw onReadOnly(path, cause)
    if (code === 'EACCES' || code === 'EPERM') {
      throw new VmpkgError('NO_RIGHTS', `No right to write ${path}`, {
        hint: 'Run the command as the user who owns it, or with sudo.',
        cause,
      })
    }
    throw new VmpkgError('STATE_INVALID', `${path} cannot be opened`, {
      hint: code === 'ELOOP' ? 'It is a symbolic link, which vmpkg does not follow: remove it.' : 'Check its folder.',
      cause,
    })
  }
}

function migrate(database: DatabaseSync, path: string, { applicationId, migrations }: OpenDatabaseOptions): void {
  const version = pragma(database, 'user_version')
  const found = pragma(database, 'application_id')
  if (version === migrations.length && found === applicationId) return
  database.exec('PRAGMA journal_mode = WAL')
  inTransaction(database, () => {
    const current = pragma(database, 'user_version') // another process may have been first
    const owner = pragma(database, 'application_id')
    if (owner !== applicationId && (owner !== 0 || current !== 0 || tableCount(database) > 0)) {
      throw new VmpkgError('STATE_INVALID', `${path} is a database of something else`, {
        hint: 'Move it away; vmpkg will not touch it.',
      })
    }
    if (current > migrations.length) {
      throw new VmpkgError('STATE_INVALID', `${path} was written by a newer vmpkg (version ${current})`, {
        hint: 'Use that vmpkg, or a newer one.',
      })
    }
    for (const statements of migrations.slice(current)) database.exec(statements)
    database.exec(`PRAGMA application_id = ${applicationId}`)
    database.exec(`PRAGMA user_version = ${migrations.length}`)
  })
}

function pragma(database: DatabaseSync, name: 'user_version' | 'application_id'): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()?.[name])
}

function tableCount(database: DatabaseSync): number {
  return Number(database.prepare('SELECT count(*) AS count FROM sqlite_schema').get()?.['count'])
}
