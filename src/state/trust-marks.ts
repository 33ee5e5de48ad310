/**
 * What this host has accepted from each registry, so that nothing older, other or contradicting is accepted later. It is
 * kept apart from every cache: wiping a cache loses no protection; and it outlives the source, so that removing one and
 * adding it again loses none either (threats M05, M06, M09, M13, M19).
 *
 * Marks are kept as the text that `trust/marks.ts` writes and reads; whether they may change is for `trust/` to say.
 */
import type { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../ports.ts'
import { inTransaction } from '../sqlite.ts'

/** Whose marks: a registry, seen under a name, beginning with a root file. */
export interface MarkedSource {
  readonly registryId: string
  /** Name of the source; of a snapshot, with its date: a snapshot has a history of its own. */
  readonly source: string
  /** Without user and password. */
  readonly url: string
  /** SHA-256 of the root file it is pinned to. */
  readonly pin: string
}

export interface SeenRegistry extends MarkedSource {
  /** Text of the marks. */
  readonly marks: string
  /** The newest root file that was accepted, whole. */
  readonly root?: Uint8Array
  /** The last envelope that was accepted: its file, whole, and the times in it. */
  readonly envelope?: { readonly file: Uint8Array; readonly issuedAt: Date; readonly expiresAt: Date }
}

export interface Evidence {
  readonly source: string
  readonly notedAt: Date
  /** One sentence on what contradicts what. */
  readonly fact: string
  /** What the bytes are, as in `envelope-12-second.json`. */
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

  /** What this very source has seen, beginning with this very root file; `undefined` before its first refresh. */
  find({ registryId, source, pin }: MarkedSource): SeenRegistry | undefined {
    return this.#select('registry_id = ? AND source = ? AND pin = ? AND is_removed = 0', registryId, source, pin)[0]
  }

  /** What was seen of the same registry by sources that are removed, or under this name with another root file. */
  findEarlier({ registryId, source, pin }: MarkedSource): readonly SeenRegistry[] {
    const earlier = '(is_removed = 1 OR (source = ? AND pin <> ?))'
    return this.#select(`registry_id = ? AND ${earlier} AND instr(source, ' ') = 0`, registryId, source, pin)
  }

  /** Registries that this address or this name stood for before, the newest first. */
  findOthers({ registryId, source, url }: Omit<MarkedSource, 'pin'>): readonly SeenRegistry[] {
    return this.#select('registry_id <> ? AND (source = ? OR url = ?)', registryId, source, url)
  }

  /** What present sources have seen, by name. */
  listPresent(): readonly SeenRegistry[] {
    return this.#select('is_removed = 0').toSorted((a, b) => (a.source < b.source ? -1 : 1))
  }

  /** True where the envelope of a present source had its end before `now`, whatever its policy makes of that. */
  hasExpired(now: Date): boolean {
    const found = this.#database.prepare('SELECT 1 FROM seen WHERE is_removed = 0 AND expires_at <= ?')
    return found.get(now.toISOString()) !== undefined
  }

  /** Replaces what a source has seen; durable on return. Files that are not given stay as they were. */
  put({ registryId, source, url, pin, marks, root, envelope }: SeenRegistry): void {
    this.#database
      .prepare(
        `INSERT INTO seen (registry_id, source, url, pin, marks, root, envelope, issued_at, expires_at, is_removed, put_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)
         ON CONFLICT (registry_id, source) DO UPDATE SET url = excluded.url, pin = excluded.pin, marks = excluded.marks,
           root = coalesce(excluded.root, root), envelope = coalesce(excluded.envelope, envelope),
           issued_at = coalesce(excluded.issued_at, issued_at), expires_at = coalesce(excluded.expires_at, expires_at),
           is_removed = 0, put_at = excluded.put_at`,
      )
      .run(
        registryId,
        source,
        url,
        pin,
        marks,
        root ?? null,
        envelope?.file ?? null,
        envelope?.issuedAt.toISOString() ?? null,
        envelope?.expiresAt.toISOString() ?? null,
        this.#clock.now().toISOString(),
      )
  }

  /** A source was removed: what it has seen stays, for whoever adds its registry again. */
  retire(source: string): void {
    this.#database
      .prepare(`UPDATE seen SET is_removed = 1 WHERE source = ? OR source LIKE ? || ' %'`)
      .run(source, source)
  }

  /** Forgets everything about a registry but the evidence. */
  forget(registryId: string): void {
    this.#database.prepare('DELETE FROM seen WHERE registry_id = ?').run(registryId)
  }

  /** The newest time that any registry has signed. */
  get newestTime(): Date | undefined {
    const row = this.#database.prepare('SELECT newest FROM clock').get()
    return row === undefined ? undefined : new Date(String(row['newest']))
  }

  /** Never goes back. */
  noteTime(time: Date): void {
    this.#database
      .prepare('INSERT INTO clock VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET newest = max(newest, excluded.newest)')
      .run(time.toISOString())
  }

  /** Keeps files that contradict each other, for whoever has to find out why. The same ones are kept once. */
  keepEvidence(source: string, fact: string, files: Readonly<Record<string, Uint8Array>>): void {
    const insert = this.#database.prepare(
      `INSERT INTO evidence (source, noted_at, fact, name, bytes) SELECT ?, ?, ?, ?, ?
       WHERE NOT EXISTS (SELECT 1 FROM evidence WHERE source = ? AND fact = ? AND name = ? AND bytes = ?)`,
    )
    const now = this.#clock.now().toISOString()
    inTransaction(this.#database, () => {
      for (const [name, bytes] of Object.entries(files)) {
        insert.run(source, now, fact, name, bytes, source, fact, name, bytes)
      }
    })
  }

  /** Oldest first; of one source, or of all. */
  listEvidence(source?: string): readonly Evidence[] {
    const rows = this.#database
      .prepare('SELECT * FROM evidence WHERE ? IS NULL OR source = ? ORDER BY id')
      .all(source ?? null, source ?? null)
    return rows.map((row) => ({
      source: String(row['source']),
      notedAt: new Date(String(row['noted_at'])),
      fact: String(row['fact']),
      name: String(row['name']),
      bytes: row['bytes'] as Uint8Array,
    }))
  }

  #select(where: string, ...values: readonly string[]): readonly SeenRegistry[] {
    const rows = this.#database.prepare(`SELECT * FROM seen WHERE ${where} ORDER BY put_at DESC`).all(...values)
    return rows.map((row) => ({
      registryId: String(row['registry_id']),
      source: String(row['source']),
      url: String(row['url']),
      pin: String(row['pin']),
      marks: String(row['marks']),
      ...(row['root'] === null ? {} : { root: row['root'] as Uint8Array }),
      ...(row['envelope'] === null
        ? {}
        : {
            envelope: {
              file: row['envelope'] as Uint8Array,
              issuedAt: new Date(String(row['issued_at'])),
              expiresAt: new Date(String(row['expires_at'])),
            },
          }),
    }))
  }
}
