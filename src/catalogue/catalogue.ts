/**
 * What the sources offer: verified index lines in SQLite, so that listing and searching need no parsing. Channels, yanks
 * and phasing are applied when asked for a candidate, and a name that several sources offer comes from one of them:
 * the one it was installed from, else the one with the higher priority, else the one added first (threats M20).
 *
 * Only verified values enter. Source: formats 3.1, decisions 4 and 17; threats M08, M12.
 */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import type { Sha256 } from '../model/digest.ts'
import type { Arch, PackageKind, PackageLine, Transport } from '../model/line.ts'
import type { Channels, Envelope } from '../model/registry.ts'
import { parseRelation } from '../model/relation.ts'
import { inTransaction } from '../sqlite.ts'
import type { PackageIndex } from '../trust/package-index.ts'
import type { Verified } from '../trust/verified.ts'
import { isPhasedIn } from './phasing.ts'

export interface CatalogueEntry {
  readonly source: string
  readonly line: PackageLine
  /** Of the line's exact bytes. */
  readonly lineDigest: Sha256
  readonly transport: Transport
  readonly channel: string
  /** The reason, where the version is withdrawn. */
  readonly yanked?: string
  readonly phasedPercent: number
}

/** What a list shows of a package. */
export interface PackageSummary {
  readonly source: string
  readonly name: string
  readonly version: string
  readonly arch: Arch
  readonly kind: PackageKind
  readonly summary: string
}

/** What decides whether a version may be installed here. */
type Offer = Pick<CatalogueEntry, 'source' | 'channel' | 'yanked' | 'phasedPercent'> & {
  readonly name: string
  readonly version: string
}

export interface CatalogueSource {
  readonly name: string
  /** Higher wins. */
  readonly priority: number
  readonly addedAt: Date
}

/** One refresh of a source, verified as a whole. */
export interface Refresh {
  readonly envelope: Verified<Envelope>
  readonly index: Verified<PackageIndex>
  readonly channels: Verified<Channels>
  readonly refreshedAt: Date
}

export interface RefreshedSource extends CatalogueSource {
  readonly registryId: string
  readonly indexSha256: Sha256
  readonly channelsSha256: Sha256
  /** Of the root file that the publishers were judged by. */
  readonly rootSha256: string
  readonly expiresAt: Date
  readonly refreshedAt: Date
  /** Package versions. */
  readonly count: number
}

export interface CatalogueOptions {
  /** Of the host: other architectures are not seen. */
  readonly arch: Exclude<Arch, 'all'>
  /** For phased updates. */
  readonly seed: string
  /** Besides `stable`, the channels that the user follows. */
  readonly channels?: readonly string[]
}

export interface CandidateOptions {
  /** The source a package of that name was installed from. */
  readonly installedFrom?: string | undefined
  /** Only from this source. */
  readonly source?: string | undefined
}

export class Catalogue {
  readonly #database: DatabaseSync
  readonly #options: CatalogueOptions

  /** `database` comes from `openCatalogueDatabase`. */
  constructor(database: DatabaseSync, options: CatalogueOptions) {
    this.#database = database
    this.#options = options
  }

  /**
   * Puts a refresh in place of what a source offered before, in one transaction. Returns the versions that are gone
   * without having been yanked: a registry does not forget what it published (M12).
   */
  replace(
    source: CatalogueSource,
    refresh: Refresh,
  ): { readonly vanished: readonly { name: string; version: string }[] } {
    const before = this.#offered(source.name)
    inTransaction(this.#database, () => {
      this.removeSource(source.name)
      this.#insertSource(source, refresh)
      this.#insertPackages(source.name, refresh)
    })
    const after = new Set(refresh.index.entries.map(({ line }) => `${line.name} ${line.version}`))
    return { vanished: before.filter(({ name, version }) => !after.has(`${name} ${version}`)) }
  }

  /** The source still offers what it did: only how long that is known to hold changes. */
  renew(name: string, { refreshedAt, expiresAt }: { readonly refreshedAt: Date; readonly expiresAt: Date }): void {
    this.#database
      .prepare('UPDATE sources SET refreshed_at = ?, expires_at = ? WHERE name = ?')
      .run(refreshedAt.toISOString(), expiresAt.toISOString(), name)
  }

  /** Does nothing where the source is not in the catalogue. */
  setPriority(name: string, priority: number): void {
    this.#database.prepare('UPDATE sources SET priority = ? WHERE name = ?').run(priority, name)
  }

  /** Does nothing where the source is not in the catalogue. */
  removeSource(name: string): void {
    inTransaction(this.#database, () => {
      this.#database.prepare('DELETE FROM words WHERE source = ?').run(name)
      this.#database.prepare('DELETE FROM sources WHERE name = ?').run(name)
    })
  }

  /** By name. */
  sources(): readonly RefreshedSource[] {
    const rows = this.#database
      .prepare(
        `SELECT *, (SELECT count(*) FROM packages WHERE source = sources.name) AS count FROM sources ORDER BY name`,
      )
      .all()
    return rows.map((row) => ({
      name: String(row['name']),
      priority: Number(row['priority']),
      addedAt: new Date(String(row['added_at'])),
      registryId: String(row['registry_id']),
      indexSha256: row['index_sha256'] as Sha256,
      channelsSha256: row['channels_sha256'] as Sha256,
      rootSha256: String(row['root_sha256']),
      expiresAt: new Date(String(row['expires_at'])),
      refreshedAt: new Date(String(row['refreshed_at'])),
      count: Number(row['count']),
    }))
  }

  /** Every version of a package from every source, yanked ones too, newest first within a source. */
  versions(name: string): readonly CatalogueEntry[] {
    return this.#select('packages.name = ?', [name])
  }

  /** The versions that may be installed, newest first, all from the one source that wins for this name. */
  available(name: string, { installedFrom, source }: CandidateOptions = {}): readonly CatalogueEntry[] {
    const entries = this.versions(name).filter((entry) => this.#isEligible(offerOf(entry)))
    const wanted =
      source ?? (entries.some((entry) => entry.source === installedFrom) ? installedFrom : entries[0]?.source)
    return entries.filter((entry) => entry.source === wanted)
  }

  /** The version that an install or upgrade takes, `undefined` where there is none. */
  candidate(name: string, options: CandidateOptions = {}): CatalogueEntry | undefined {
    return this.available(name, options)[0]
  }

  /** The candidate of every name, by name. `installedFrom` says where installed packages came from. */
  candidates(installedFrom: ReadonlyMap<string, string> = new Map()): readonly CatalogueEntry[] {
    const offers = this.#select('TRUE', []).map((entry) => ({ ...offerOf(entry), entry }))
    return this.#chooseByName(offers, installedFrom).map(({ entry }) => entry)
  }

  /** What a list shows of the candidates, read without parsing the lines, of which there may be thousands. */
  summaries(installedFrom: ReadonlyMap<string, string> = new Map()): readonly PackageSummary[] {
    const rows = this.#database
      .prepare(
        `SELECT source, packages.name, version, arch, channel, phased_percent AS phasedPercent,
           line ->> 'kind' AS kind, line ->> 'summary' AS summary
         FROM packages JOIN sources ON sources.name = packages.source
         WHERE yanked IS NULL AND arch IN (?, 'all')
         ORDER BY priority DESC, added_at, sources.name, rank DESC`,
      )
      .all(this.#options.arch) as unknown as readonly (Offer & PackageSummary)[]
    return this.#chooseByName(rows, installedFrom)
  }

  /** Names of packages that provide a virtual one, by name. */
  providers(virtual: string): readonly string[] {
    const rows = this.#database
      .prepare('SELECT DISTINCT name FROM provided WHERE virtual = ? ORDER BY name')
      .all(virtual)
    return rows.map((row) => String(row['name']))
  }

  /** All names, for suggestions. */
  names(): readonly string[] {
    const rows = this.#database.prepare('SELECT DISTINCT name FROM packages ORDER BY name').all()
    return rows.map((row) => String(row['name']))
  }

  /** Candidates whose name or summary has words that begin with all of the given ones; best matches first. */
  search(words: readonly string[]): readonly CatalogueEntry[] {
    const terms = words.flatMap((word) => word.match(/[\p{L}\p{N}]+/gu) ?? [])
    if (terms.length === 0) return []
    const query = terms.map((term) => `"${term}"*`).join(' AND ')
    const rows = this.#database
      .prepare('SELECT DISTINCT package FROM words WHERE words MATCH ? ORDER BY bm25(words, 10.0, 1.0), package')
      .all(query)
    return [...new Set(rows.map((row) => String(row['package'])))].flatMap((name) => this.candidate(name) ?? [])
  }

  /** Of each name the eligible one that comes first, or the first from where it was installed. By name. */
  #chooseByName<T extends Offer>(offers: readonly T[], installedFrom: ReadonlyMap<string, string>): readonly T[] {
    const chosen = new Map<string, T>()
    for (const offer of offers) {
      const before = chosen.get(offer.name)
      const home = installedFrom.get(offer.name)
      const isBetter = before === undefined || (before.source !== home && offer.source === home)
      if (isBetter && this.#isEligible(offer)) chosen.set(offer.name, offer)
    }
    return [...chosen.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }

  #isEligible({ name, version, channel, yanked, phasedPercent }: Offer): boolean {
    const { seed, channels = [] } = this.#options
    if (yanked !== undefined) return false
    if (channel !== 'stable' && !channels.includes(channel)) return false
    return isPhasedIn(seed, name, version, phasedPercent)
  }

  #select(where: string, values: readonly SQLInputValue[]): readonly CatalogueEntry[] {
    const rows = this.#database
      .prepare(
        `SELECT packages.* FROM packages JOIN sources ON sources.name = packages.source
         WHERE ${where} AND arch IN (?, 'all')
         ORDER BY priority DESC, added_at, sources.name, rank DESC`,
      )
      .all(...values, this.#options.arch)
    return rows.map((row) => ({
      source: String(row['source']),
      line: JSON.parse(String(row['line'])) as PackageLine,
      lineDigest: row['line_digest'] as Sha256,
      transport: JSON.parse(String(row['transport'])) as Transport,
      channel: String(row['channel']),
      ...(row['yanked'] === null ? {} : { yanked: String(row['yanked']) }),
      phasedPercent: Number(row['phased_percent']),
    }))
  }

  #offered(source: string): readonly { name: string; version: string }[] {
    const rows = this.#database
      .prepare('SELECT name, version FROM packages WHERE source = ? AND yanked IS NULL ORDER BY name, rank')
      .all(source)
    return rows.map((row) => ({ name: String(row['name']), version: String(row['version']) }))
  }

  #insertSource({ name, priority, addedAt }: CatalogueSource, { envelope, refreshedAt }: Refresh): void {
    this.#database
      .prepare(
        `INSERT INTO sources
           (name, priority, added_at, registry_id, index_sha256, channels_sha256, root_sha256, expires_at, refreshed_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(
        name,
        priority,
        addedAt.toISOString(),
        envelope.registryId,
        envelope.index.sha256,
        envelope.channels.sha256,
        envelope.root.sha256,
        envelope.expiresAt.toISOString(),
        refreshedAt.toISOString(),
      )
  }

  #insertPackages(source: string, { index, channels }: Refresh): void {
    const changes = new Map(channels.entries.map((entry) => [keyOf(entry), entry]))
    const insert = this.#database.prepare(
      `INSERT INTO packages
         (source, name, version, arch, rank, channel, yanked, phased_percent, line_digest, line, transport)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    const provide = this.#database.prepare('INSERT OR IGNORE INTO provided (virtual, name, source) VALUES (?, ?, ?)')
    const word = this.#database.prepare('INSERT INTO words (name, summary, source, package) VALUES (?, ?, ?, ?)')
    // The index is in order of name and version, so the position of a line is its rank.
    for (const [rank, { line, lineDigest, transport }] of index.entries.entries()) {
      const { channel = 'stable', yanked = null, phasedPercent = 100 } = changes.get(keyOf(line)) ?? {}
      const json = [JSON.stringify(line), JSON.stringify(transport)] as const
      insert.run(source, line.name, line.version, line.arch, rank, channel, yanked, phasedPercent, lineDigest, ...json)
      for (const text of line.provides) {
        for (const { name } of parseRelation(text).alternatives) provide.run(name, line.name, source)
      }
      const isLast = index.entries[rank + 1]?.line.name !== line.name
      if (isLast) word.run(line.name, line.summary, source, line.name)
    }
  }
}

function offerOf({ line, source, channel, yanked, phasedPercent }: CatalogueEntry): Offer {
  return {
    name: line.name,
    version: line.version,
    source,
    channel,
    ...(yanked === undefined ? {} : { yanked }),
    phasedPercent,
  }
}

function keyOf({ name, version, arch }: Pick<PackageLine, 'name' | 'version' | 'arch'>): string {
  return `${name} ${version} ${arch}`
}
