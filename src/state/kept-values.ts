/**
 * Parameter values of packages that were removed, for when they are installed again: what apt's configuration files are
 * to `remove` and `purge`. Only what the user set; grants are not kept, they are asked for anew.
 */
import type { DatabaseSync } from 'node:sqlite'
import type { Origin, ParameterValue, ParameterValues } from '../model/manifest.ts'

export class KeptValues {
  readonly #database: DatabaseSync
  readonly #connection: string

  /** `connection` is the key of the libvirt connection. */
  constructor(database: DatabaseSync, connection: string) {
    this.#database = database
    this.#connection = connection
  }

  /** Names of packages that have values here. */
  names(): readonly string[] {
    return this.#database
      .prepare('SELECT DISTINCT package FROM kept_values WHERE connection = ? ORDER BY package')
      .all(this.#connection)
      .map((row) => String(row['package']))
  }

  find(name: string): ParameterValues {
    const rows = this.#database
      .prepare('SELECT name, value, origin FROM kept_values WHERE connection = ? AND package = ? ORDER BY name')
      .all(this.#connection, name)
    return Object.fromEntries(
      rows.map((row) => {
        const value = JSON.parse(String(row['value'])) as ParameterValue
        return [String(row['name']), { value, origin: String(row['origin']) as Origin }]
      }),
    )
  }

  /** In place of what was kept before. Defaults are not kept: a later version may have better ones. */
  keep(name: string, values: ParameterValues): void {
    this.drop(name)
    const insert = this.#database.prepare(
      'INSERT INTO kept_values (connection, package, name, value, origin) VALUES (?, ?, ?, ?, ?)',
    )
    for (const [parameter, { value, origin }] of Object.entries(values)) {
      if (origin === 'command line') insert.run(this.#connection, name, parameter, JSON.stringify(value), origin)
    }
  }

  drop(name: string): void {
    this.#database.prepare('DELETE FROM kept_values WHERE connection = ? AND package = ?').run(this.#connection, name)
  }
}
