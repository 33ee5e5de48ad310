/**
 * What was done here: the finished transactions of the journal with what each changed, for `vmpkg history`, `undo`, `redo`
 * and `rollback`. Whatever a transaction took away is kept for a while under the holder `history N`.
 */
import type { DatabaseSync } from 'node:sqlite'
import { VmpkgError } from '../errors.ts'
import type { SavedDefinition } from './definitions.ts'
import type { InstalledPackage } from './installed.ts'
import type { TransactionFacts } from './journal.ts'

export interface HistoryEntry extends TransactionFacts {
  readonly id: number
  readonly beganAt: Date
  readonly endedAt: Date
  readonly outcome: 'committed' | 'undone'
}

export interface PackageChange {
  readonly name: string
  readonly before: InstalledPackage | undefined
  readonly after: InstalledPackage | undefined
}

export interface DefinitionChange {
  readonly uuid: string
  readonly before: SavedDefinition | undefined
  readonly after: SavedDefinition | undefined
}

export interface Changes {
  readonly packages: readonly PackageChange[]
  readonly definitions: readonly DefinitionChange[]
}

/** Who holds the archives and images that a transaction took out of use. */
export function historyHolder(id: number): string {
  return `history ${id}`
}

export class History {
  readonly #database: DatabaseSync
  readonly #connection: string

  constructor(database: DatabaseSync, connection: string) {
    this.#database = database
    this.#connection = connection
  }

  /** Finished transactions that changed packages or machines, newest first. */
  list({ limit = 100 }: { readonly limit?: number } = {}): readonly HistoryEntry[] {
    return this.#database
      .prepare('SELECT * FROM transactions WHERE connection = ? AND outcome IS NOT NULL ORDER BY id DESC LIMIT ?')
      .all(this.#connection, limit)
      .map(entry)
  }

  /** @throws {VmpkgError} `USAGE` when there is none of that number */
  get(id: number): HistoryEntry {
    const row = this.#database
      .prepare('SELECT * FROM transactions WHERE connection = ? AND id = ? AND outcome IS NOT NULL')
      .get(this.#connection, id)
    if (row !== undefined) return entry(row)
    throw new VmpkgError('USAGE', `There is no entry ${id} in the history`, {
      hint: 'Run vmpkg history to see the numbers.',
    })
  }

  /** Committed ones after that number that changed packages, oldest first. */
  since(id: number): readonly HistoryEntry[] {
    return this.#database
      .prepare(
        `SELECT * FROM transactions WHERE connection = ? AND id > ? AND outcome = 'committed'
           AND id IN (SELECT transaction_id FROM package_changes) ORDER BY id`,
      )
      .all(this.#connection, id)
      .map(entry)
  }

  changes(id: number): Changes {
    const packages = this.#database
      .prepare('SELECT * FROM package_changes WHERE transaction_id = ? ORDER BY name')
      .all(id)
    const definitions = this.#database
      .prepare('SELECT * FROM definition_changes WHERE transaction_id = ? ORDER BY rowid')
      .all(id)
    return {
      packages: packages.map((row) => ({
        name: String(row['name']),
        before: readPackage(row['before']),
        after: readPackage(row['after']),
      })),
      definitions: definitions.map((row) => ({
        uuid: String(row['uuid']),
        before: readDefinition(row['before']),
        after: readDefinition(row['after']),
      })),
    }
  }

  /** Call it inside `Transaction.commit`. */
  record(id: number, { packages, definitions }: Changes): void {
    const addPackage = this.#database.prepare(
      'INSERT INTO package_changes (transaction_id, name, before, after) VALUES (?, ?, ?, ?)',
    )
    for (const { name, before, after } of packages) addPackage.run(id, name, write(before), write(after))
    const addDefinition = this.#database.prepare(
      'INSERT INTO definition_changes (transaction_id, uuid, before, after) VALUES (?, ?, ?, ?)',
    )
    for (const { uuid, before, after } of definitions) addDefinition.run(id, uuid, write(before), write(after))
  }

  /** What users set for a package is forgotten everywhere; that it was there is not. */
  forgetValues(name: string): void {
    const strip = `json_set(%, '$.parameters', json('{}'))`
    for (const column of ['before', 'after']) {
      this.#database
        .prepare(
          `UPDATE package_changes SET ${column} = ${strip.replace('%', column)} WHERE name = ? AND ${column} IS NOT NULL
             AND transaction_id IN (SELECT id FROM transactions WHERE connection = ?)`,
        )
        .run(name, this.#connection)
    }
  }
}

function write(value: object | undefined): string | null {
  return value === undefined ? null : JSON.stringify(value)
}

function readPackage(text: unknown): InstalledPackage | undefined {
  if (typeof text !== 'string') return undefined
  const read = JSON.parse(text) as InstalledPackage & { readonly installedAt: string }
  return { ...read, installedAt: new Date(read.installedAt) }
}

function readDefinition(text: unknown): SavedDefinition | undefined {
  return typeof text === 'string' ? (JSON.parse(text) as SavedDefinition) : undefined
}

function entry(row: Record<string, unknown>): HistoryEntry {
  return {
    id: Number(row['id']),
    connection: String(row['connection']),
    operation: String(row['operation']),
    subject: String(row['subject']),
    command: String(row['command']),
    comment: typeof row['comment'] === 'string' ? row['comment'] : undefined,
    beganAt: new Date(String(row['began_at'])),
    endedAt: new Date(String(row['ended_at'])),
    outcome: row['outcome'] === 'committed' ? 'committed' : 'undone',
  }
}
