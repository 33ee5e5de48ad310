/** How many booted machines of a package wait for somebody to take one. What waits itself is in libvirt. */
import type { DatabaseSync } from 'node:sqlite'

export interface PoolWish {
  readonly package: string
  /** Members; at least 1. */
  readonly size: number
  /** Where they write, as `clone --mode` has it; what fits where it is absent. */
  readonly mode: string | undefined
  /** The router LAN they are on; the only one that fits where it is absent. */
  readonly net: string | undefined
}

export class Pools {
  readonly #database: DatabaseSync
  readonly #connection: string

  /** `connection` is the key of the libvirt connection. */
  constructor(database: DatabaseSync, connection: string) {
    this.#database = database
    this.#connection = connection
  }

  /** By package. */
  list(): readonly PoolWish[] {
    return this.#database
      .prepare('SELECT package, size, mode, net FROM pools WHERE connection = ? ORDER BY package')
      .all(this.#connection)
      .map((row) => ({
        package: String(row['package']),
        size: Number(row['size']),
        mode: row['mode'] === null ? undefined : String(row['mode']),
        net: row['net'] === null ? undefined : String(row['net']),
      }))
  }

  find(name: string): PoolWish | undefined {
    return this.list().find((one) => one.package === name)
  }

  put(wish: PoolWish): void {
    this.#database
      .prepare('INSERT OR REPLACE INTO pools (connection, package, size, mode, net) VALUES (?, ?, ?, ?, ?)')
      .run(this.#connection, wish.package, wish.size, wish.mode ?? null, wish.net ?? null)
  }

  drop(name: string): void {
    this.#database.prepare('DELETE FROM pools WHERE connection = ? AND package = ?').run(this.#connection, name)
  }
}
