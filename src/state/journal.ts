/**
 * Intents on disk before effects in the world: each step that changes something outside the database first writes down
 * how to undo it. After a crash the next command finds the records of the dead process and runs them backwards.
 *
 * An intent may be recorded whose effect never happened, so every undo must be harmless when there is nothing to undo.
 * What the records mean is up to `operations/`. Source: threats L01. Test oracle: a child killed between statements.
 */
import type { DatabaseSync } from 'node:sqlite'
import { VmpkgError } from '../errors.ts'
import type { Clock } from '../ports.ts'
import { inTransaction } from '../sqlite.ts'
import { isAlive, type ProcessIdentity } from './process-identity.ts'

/** How to take back one effect; plain JSON, as in `{ kind: 'remove-machine-files', uuid: '…' }`. */
export interface UndoRecord {
  readonly kind: string
  readonly [field: string]: unknown
}

export interface TransactionFacts {
  /** Key of the libvirt connection. */
  readonly connection: string
  /** The verb, as in `install`. */
  readonly operation: string
  /** What it is about, as in `router-uni`. */
  readonly subject: string
  /** The command line, without secrets. */
  readonly command: string
  /** What the user wants to remember of it. */
  readonly comment?: string | undefined
}

export interface PendingTransaction extends TransactionFacts {
  readonly id: number
  readonly beganAt: Date
  /** Newest first: the order to run them in. */
  readonly undo: readonly UndoRecord[]
}

export class Journal {
  readonly #database: DatabaseSync
  readonly #clock: Clock
  readonly #self: ProcessIdentity

  constructor(database: DatabaseSync, clock: Clock, self: ProcessIdentity) {
    this.#database = database
    this.#clock = clock
    this.#self = self
  }

  begin({ connection, operation, subject, command, comment }: TransactionFacts): Transaction {
    const { pid, startTicks, bootId } = this.#self
    const { lastInsertRowid } = this.#database
      .prepare(
        `INSERT INTO transactions (connection, operation, subject, command, comment, pid, start_ticks, boot_id, began_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(
        connection,
        operation,
        subject,
        command,
        comment ?? null,
        pid,
        startTicks,
        bootId,
        this.#clock.now().toISOString(),
      )
    return new Transaction(this.#database, this.#clock, Number(lastInsertRowid))
  }

  /** Unfinished transactions of processes that live no more, newest first: what anybody can say without the lock. */
  pending(): readonly PendingTransaction[] {
    return this.#unfinished((row) => {
      const { pid, start_ticks: startTicks, boot_id: bootId } = row
      return !isAlive({ pid: Number(pid), startTicks: Number(startTicks), bootId: String(bootId) })
    })
  }

  /**
   * For who has just taken the writer lock: whatever is unfinished is nobody's work any more, also that of a process that
   * lives on, as the supervisor does after an undo that failed. Newest first; run the undo records of each in the order
   * given, then `resolve` it.
   */
  abandoned(): readonly PendingTransaction[] {
    return this.#unfinished(() => true)
  }

  #unfinished(isMeant: (row: Readonly<Record<string, unknown>>) => boolean): readonly PendingTransaction[] {
    const rows = this.#database.prepare('SELECT * FROM transactions WHERE outcome IS NULL ORDER BY id DESC').all()
    return rows.filter(isMeant).map((row) => ({
      id: Number(row['id']),
      connection: String(row['connection']),
      operation: String(row['operation']),
      subject: String(row['subject']),
      command: String(row['command']),
      beganAt: new Date(String(row['began_at'])),
      undo: readUndo(this.#database, Number(row['id'])),
    }))
  }

  /** Notes that a pending transaction has been undone. */
  resolve(pending: PendingTransaction): void {
    finish(this.#database, this.#clock, pending.id, 'undone')
  }
}

/** One operation under way. Ends by `commit` or, once its effects have been taken back, by `abandon`. */
export class Transaction {
  readonly id: number
  readonly #database: DatabaseSync
  readonly #clock: Clock

  constructor(database: DatabaseSync, clock: Clock, id: number) {
    this.#database = database
    this.#clock = clock
    this.id = id
  }

  /** Returns once the records, all or none of them, are on disk: only then may the effects happen. */
  intend(...undo: readonly UndoRecord[]): void {
    inTransaction(this.#database, () => {
      requireOpen(this.#database, this.id)
      const insert = this.#database.prepare('INSERT INTO undo (transaction_id, record) VALUES (?, ?)')
      for (const record of undo) insert.run(this.id, JSON.stringify(record))
    })
  }

  /** What has been intended so far, newest first. */
  undoRecords(): readonly UndoRecord[] {
    return readUndo(this.#database, this.id)
  }

  /**
   * Makes the operation final. `record` runs in the same database transaction, so that for example the installed
   * package is there exactly when the transaction is no longer pending.
   */
  commit(record: () => void = () => {}): void {
    inTransaction(this.#database, () => {
      record()
      finish(this.#database, this.#clock, this.id, 'committed')
    })
  }

  /** Notes that everything intended has been undone. */
  abandon(): void {
    finish(this.#database, this.#clock, this.id, 'undone')
  }
}

function readUndo(database: DatabaseSync, id: number): readonly UndoRecord[] {
  const rows = database.prepare('SELECT record FROM undo WHERE transaction_id = ? ORDER BY id DESC').all(id)
  return rows.map((row) => JSON.parse(String(row['record'])) as UndoRecord)
}

function requireOpen(database: DatabaseSync, id: number): void {
  const row = database.prepare('SELECT outcome FROM transactions WHERE id = ?').get(id)
  if (row === undefined || row['outcome'] !== null) {
    throw new VmpkgError('INTERNAL', `Transaction ${id} is over and takes no further steps`)
  }
}

function finish(database: DatabaseSync, clock: Clock, id: number, outcome: 'committed' | 'undone'): void {
  const { changes } = database
    .prepare('UPDATE transactions SET outcome = ?, ended_at = ? WHERE id = ? AND outcome IS NULL')
    .run(outcome, clock.now().toISOString(), id)
  if (changes !== 1) throw new VmpkgError('INTERNAL', `Transaction ${id} ended twice`)
  // They are of no use any more, and hold whole definitions.
  database.prepare('DELETE FROM undo WHERE transaction_id = ?').run(id)
}
