/**
 * What we last handed to libvirt for each of our domains and networks, and how libvirt wrote it down: the base that a
 * later version is merged against, so that edits made with virsh survive an upgrade. In the state database, never in
 * libvirt's metadata (decisions 19, formats 5.2).
 */
import type { DatabaseSync } from 'node:sqlite'

export interface Definition {
  readonly uuid: string
  readonly kind: 'domain' | 'network'
  readonly name: string
  /** Name of the package that brought it. */
  readonly package: string
  /** Our rendering. */
  readonly rendered: string
  /** libvirt's own text of it, right after we defined it. */
  readonly defined: string
  /** What it was rendered from besides the package: plain JSON, read by `operations/`. */
  readonly context: Readonly<Record<string, unknown>>
}

/** A definition and the XML that libvirt had for it at some moment, edits of the user included. */
export interface SavedDefinition extends Definition {
  readonly xml: string
  readonly autostart: boolean
}

export class Definitions {
  readonly #database: DatabaseSync
  readonly #connection: string

  constructor(database: DatabaseSync, connection: string) {
    this.#database = database
    this.#connection = connection
  }

  find(uuid: string): Definition | undefined {
    const row = this.#database
      .prepare('SELECT * FROM definitions WHERE connection = ? AND uuid = ?')
      .get(this.#connection, uuid)
    return row === undefined ? undefined : read(row)
  }

  /** Networks before domains, by name: the order in which to define them. */
  ofPackage(name: string): readonly Definition[] {
    return this.#database
      .prepare('SELECT * FROM definitions WHERE connection = ? AND package = ? ORDER BY kind DESC, name')
      .all(this.#connection, name)
      .map(read)
  }

  put({ uuid, kind, name, package: owner, rendered, defined, context }: Definition): void {
    this.#database
      .prepare(
        `INSERT OR REPLACE INTO definitions (connection, uuid, kind, name, package, rendered, defined, context)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(this.#connection, uuid, kind, name, owner, rendered, defined, JSON.stringify(context))
  }

  remove(uuid: string): void {
    this.#database.prepare('DELETE FROM definitions WHERE connection = ? AND uuid = ?').run(this.#connection, uuid)
  }
}

function read(row: Record<string, unknown>): Definition {
  return {
    uuid: String(row['uuid']),
    kind: row['kind'] === 'network' ? 'network' : 'domain',
    name: String(row['name']),
    package: String(row['package']),
    rendered: String(row['rendered']),
    defined: String(row['defined']),
    context: JSON.parse(String(row['context'])) as Readonly<Record<string, unknown>>,
  }
}
