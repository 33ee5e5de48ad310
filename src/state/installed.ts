/**
 * What is installed on one connection: the signed line as it was at install, where it came from, what the user granted and
 * the parameters with their origins. Secret parameters live here and nowhere else (decisions 18 and 19).
 */
import type { DatabaseSync } from 'node:sqlite'
import { VmpkgError } from '../errors.ts'
import type { Capability } from '../model/capability.ts'
import type { Sha256 } from '../model/digest.ts'
import type { PackageLine } from '../model/line.ts'
import type { Origin, ParameterValue, ParameterValues } from '../model/manifest.ts'

export interface InstalledPackage {
  readonly line: PackageLine
  /** Name of the source it came from: the one that later versions come from as well (M20). */
  readonly source: string
  /** Installed as a dependency only; removed when nothing needs it any more. */
  readonly isAuto: boolean
  /** Stays in this version until it is released; as apt-mark hold. */
  readonly isHeld: boolean
  readonly installedAt: Date
  readonly grants: readonly Capability[]
  readonly parameters: ParameterValues
}

export class InstalledPackages {
  readonly #database: DatabaseSync
  readonly #connection: string

  /** `connection` is the key of the libvirt connection. */
  constructor(database: DatabaseSync, connection: string) {
    this.#database = database
    this.#connection = connection
  }

  /** By name. */
  list(): readonly InstalledPackage[] {
    const rows = this.#database
      .prepare('SELECT * FROM installed WHERE connection = ? ORDER BY name')
      .all(this.#connection)
    return rows.map((row) => this.#read(row))
  }

  /** Digests of the archives of everything installed, on every connection of the root: they share one folder. */
  archives(): ReadonlySet<Sha256> {
    const rows = this.#database.prepare('SELECT DISTINCT line FROM installed').all()
    return new Set(rows.map((row) => (JSON.parse(String(row['line'])) as PackageLine).package.sha256))
  }

  find(name: string): InstalledPackage | undefined {
    const row = this.#database
      .prepare('SELECT * FROM installed WHERE connection = ? AND name = ?')
      .get(this.#connection, name)
    return row === undefined ? undefined : this.#read(row)
  }

  /** @throws {VmpkgError} `PACKAGE_NOT_INSTALLED` */
  get(name: string): InstalledPackage {
    const found = this.find(name)
    if (found === undefined) {
      throw new VmpkgError('PACKAGE_NOT_INSTALLED', `Package ${JSON.stringify(name.slice(0, 100))} is not installed`, {
        hint: 'Run vmpkg list --installed to see what is.',
      })
    }
    return found
  }

  /** Adds a package or replaces its former version, parameters included. Call it inside `Transaction.commit`. */
  put({ line, source, isAuto, isHeld, installedAt, grants, parameters }: InstalledPackage): void {
    this.remove(line.name)
    this.#database
      .prepare(
        `INSERT INTO installed (connection, name, version, source, is_auto, is_held, installed_at, line, grants)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(
        this.#connection,
        line.name,
        line.version,
        source,
        isAuto ? 1 : 0,
        isHeld ? 1 : 0,
        installedAt.toISOString(),
        JSON.stringify(line),
        JSON.stringify(grants),
      )
    const insert = this.#database.prepare(
      'INSERT INTO parameters (connection, package, name, value, origin) VALUES (?, ?, ?, ?, ?)',
    )
    for (const [name, { value, origin }] of Object.entries(parameters)) {
      insert.run(this.#connection, line.name, name, JSON.stringify(value), origin)
    }
  }

  /** Does nothing where the package is not installed. */
  remove(name: string): void {
    this.#database.prepare('DELETE FROM installed WHERE connection = ? AND name = ?').run(this.#connection, name)
  }

  #read(row: Record<string, unknown>): InstalledPackage {
    return {
      line: JSON.parse(String(row['line'])) as PackageLine,
      source: String(row['source']),
      isAuto: row['is_auto'] === 1,
      isHeld: row['is_held'] === 1,
      installedAt: new Date(String(row['installed_at'])),
      grants: JSON.parse(String(row['grants'])) as readonly Capability[],
      parameters: this.#readParameters(String(row['name'])),
    }
  }

  #readParameters(name: string): ParameterValues {
    const rows = this.#database
      .prepare('SELECT name, value, origin FROM parameters WHERE connection = ? AND package = ? ORDER BY name')
      .all(this.#connection, name)
    return Object.fromEntries(
      rows.map((row) => {
        const value = JSON.parse(String(row['value'])) as ParameterValue
        return [String(row['name']), { value, origin: String(row['origin']) as Origin }]
      }),
    )
  }
}
