/**
 * What this host has accepted from each source, so that nothing older, other or contradicting is accepted later. It is
 * kept apart from every cache: wiping a cache loses no protection (threats M05, M06, M09, M13).
 *
 * Marks are kept as the text that `trust/marks.ts` writes and reads; whether they may change is for `trust/` to say.
 */
import type { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../ports.ts'
import { inTransaction } from '../sqlite.ts'

export interface Evidence {
  readonly source: string
  readonly notedAt: Date
  /** One sentence on what contradicts what. */
  readonly fact: string
  /** What the bytes are, as in `envelope 12, second`. */
  readonly name: string
  readonly bytes: Uint8Array
}

export class TrustMarkStore {
  readonly #database: DatabaseSync
  readonly #clock: Clock

  constructor(database: DatabaseSync, clock: Clock) {
    this.#database = database
    this.#clock = clock
  }

  /** The text of the marks, `undefined` before the first refresh of a source. */
  find(source: string): string | undefined {
    const row = this.#database.prepare('SELECT marks FROM marks WHERE source = ?').get(source)
    return row === undefined ? undefined : String(row['marks'])
  }

  /** Replaces the marks of a source; durable on return. */
  put(source: string, marks: string): void {
    this.#database
      .prepare('INSERT OR REPLACE INTO marks (source, marks, put_at) VALUES (?, ?, ?)')
      .run(source, marks, this.#clock.now().toISOString())
  }

  /** Forgets a source that the user removed. Its evidence stays. */
  remove(source: string): void {
    this.#database.prepare('DELETE FROM marks WHERE source = ?').run(source)
  }

  /** Keeps files that contradict each other, for whoever has to find out why. */
  keepEvidence(source: string, fact: string, files: Readonly<Record<string, Uint8Array>>): void {
    const insert = this.#database.prepare(
      'INSERT INTO evidence (source, noted_at, fact, name, bytes) VALUES (?, ?, ?, ?, ?)',
    )
    const now = this.#clock.now().toISOString()
    inTransaction(this.#database, () => {
      for (const [name, bytes] of Object.entries(files)) insert.run(source, now, fact, name, bytes)
    })
  }

  /** Oldest first. */
  listEvidence(source: string): readonly Evidence[] {
    const rows = this.#database.prepare('SELECT * FROM evidence WHERE source = ? ORDER BY id').all(source)
    return rows.map((row) => ({
      source: String(row['source']),
      notedAt: new Date(String(row['noted_at'])),
      fact: String(row['fact']),
      name: String(row['name']),
      bytes: row['bytes'] as Uint8Array,
    }))
  }
}
