/**
 * Who, besides the installed packages, still needs which package archive: the history and open downloads. As
 * `image-references.ts`, over all connections of the root (threats L04).
 */
import type { DatabaseSync } from 'node:sqlite'
import type { Sha256 } from '../model/digest.ts'

export class ArchiveReferences {
  readonly #database: DatabaseSync
  readonly #connection: string

  constructor(database: DatabaseSync, connection: string) {
    this.#database = database
    this.#connection = connection
  }

  /** Sets what a holder needs, in place of what it needed before. */
  hold(holder: string, archives: readonly Sha256[]): void {
    this.release(holder)
    const insert = this.#database.prepare(
      'INSERT OR IGNORE INTO archive_references (connection, holder, archive) VALUES (?, ?, ?)',
    )
    for (const archive of archives) insert.run(this.#connection, holder, archive)
  }

  release(holder: string): void {
    this.#database
      .prepare('DELETE FROM archive_references WHERE connection = ? AND holder = ?')
      .run(this.#connection, holder)
  }

  /** What must stay, over all connections; `without` counts some holders of this one out. */
  referenced(without: readonly string[] = []): ReadonlySet<Sha256> {
    const rows = this.#database
      .prepare('SELECT connection, holder, archive FROM archive_references')
      .all()
      .filter((row) => row['connection'] !== this.#connection || !without.includes(String(row['holder'])))
    return new Set(rows.map((row) => row['archive'] as Sha256))
  }

  /** Of this connection, by name. */
  holders(): readonly string[] {
    return this.#database
      .prepare('SELECT DISTINCT holder FROM archive_references WHERE connection = ? ORDER BY holder')
      .all(this.#connection)
      .map((row) => String(row['holder']))
  }
}
