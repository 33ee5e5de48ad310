/** What was done here: the finished transactions of the journal, for `vmpkg history`. */
import type { DatabaseSync } from 'node:sqlite'
import { VmpkgError } from '../errors.ts'
import type { TransactionFacts, UndoRecord } from './journal.ts'

export interface HistoryEntry extends TransactionFacts {
  readonly id: number
  readonly beganAt: Date
  readonly endedAt: Date
  readonly outcome: 'committed' | 'undone'
}

/** Finished transactions of a connection, newest first. */
export function listHistory(
  database: DatabaseSync,
  connection: string,
  { limit = 100 }: { readonly limit?: number } = {},
): readonly HistoryEntry[] {
  const rows = database
    .prepare('SELECT * FROM transactions WHERE connection = ? AND outcome IS NOT NULL ORDER BY id DESC LIMIT ?')
    .all(connection, limit)
  return rows.map(entry)
}

/**
 * One finished transaction with its undo records, newest first.
 *
 * @throws {VmpkgError} `USAGE` when there is none of that number
 */
export function getHistoryEntry(
  database: DatabaseSync,
  connection: string,
  id: number,
): HistoryEntry & { readonly undo: readonly UndoRecord[] } {
  const row = database
    .prepare('SELECT * FROM transactions WHERE connection = ? AND id = ? AND outcome IS NOT NULL')
    .get(connection, id)
  if (row === undefined) {
    throw new VmpkgError('USAGE', `There is no entry ${id} in the history`, {
      hint: 'Run vmpkg history to see the numbers.',
    })
  }
  const records = database.prepare('SELECT record FROM undo WHERE transaction_id = ? ORDER BY id DESC').all(id)
  return { ...entry(row), undo: records.map((record) => JSON.parse(String(record['record'])) as UndoRecord) }
}

function entry(row: Record<string, unknown>): HistoryEntry {
  return {
    id: Number(row['id']),
    connection: String(row['connection']),
    operation: String(row['operation']),
    subject: String(row['subject']),
    command: String(row['command']),
    beganAt: new Date(String(row['began_at'])),
    endedAt: new Date(String(row['ended_at'])),
    outcome: row['outcome'] === 'committed' ? 'committed' : 'undone',
  }
}
