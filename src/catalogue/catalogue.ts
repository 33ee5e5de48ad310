/**
 * What the sources offer: verified index lines in SQLite, so that listing and searching need no parsing. What the user
 * prefers (pins, channels), yanks and phasing are applied when asked for a candidate, by `policy.ts`; a name that several
 * sources offer comes from one of them (threats M20).
 *
 * Only verified values enter. Source: formats 3.1, decisions 4 and 17; threats M08, M12.
 */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import type { Sha256 } from '../model/digest.ts'
import type { Arch, PackageKind, PackageLine, Transport } from '../model/line.ts'
import type { Channels, Envelope } from '../model/registry.ts'
import { inTransaction, inTransactionAsync } from '../sqlite.ts'
import type { IndexLine } from '../trust/index-lines.ts'
import type { KeysHold } from '../trust/keys-hold.ts'
import type { Verified } from '../trust/verified.ts'
import { judge, NO_PREFERENCES, type Offer, type Preferences, type Verdict } from './policy.ts'
import { CatalogueWriter, type RelationKind } from './write.ts'

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

export interface CatalogueSource {
  readonly name: string
  /** Higher wins. */
  readonly priority: number
  readonly addedAt: Date
}

/** One refresh of a source. */
export interface Refresh {
  readonly envelope: Verified<Envelope>
  readonly channels: Verified<Channels>
  /** Of the root file that the lines are verified with, and for how long that holds. */
  readonly rootSha256: Sha256
  readonly keysHold: KeysHold
  readonly refreshedAt: Date
}

/** Gives the lines of the index; told which of them were verified before in a way that still counts. */
export type ReadLines = (
  known: (wireDigest: Sha256) => Pick<PackageLine, 'name' | 'version' | 'arch'> | undefined,
) => AsyncIterable<readonly IndexLine[]> | Iterable<readonly IndexLine[]>

export interface RefreshedSource extends CatalogueSource {
  readonly registryId: string
  readonly indexSha256: Sha256
  readonly channelsSha256: Sha256
  readonly rootSha256: Sha256
  /** When the lines were verified, and until when that holds under the same root file. */
  readonly keysHold: KeysHold
  readonly expiresAt: Date
  readonly refreshedAt: Date
  /** Package versions. */
  readonly count: number
}

export interface Vanished {
  readonly vanished: readonly { readonly name: string; readonly version: string }[]
}

export interface CatalogueOptions {
  /** Of the host: other architectures are not seen. */
  readonly arch: Exclude<Arch, 'all'>
  /** For phased updates. */
  readonly seed: string
  readonly preferences?: Preferences
}

export interface CandidateOptions {
  /** The source a package of that name was installed from. */
  readonly installedFrom?: string | undefined
  /** Only from this source. */
  readonly source?: string | undefined
}

const OFFER_COLUMNS = `packages.source, packages.name, version, arch, kind, summary, channel, yanked,
  phased_percent AS phasedPercent, priority AS sourcePriority`
/** The order in which `judge` looks at sources, and the newest version of each first. */
const OFFER_ORDER = 'priority DESC, added_at, sources.name, rank DESC'

export class Catalogue {
  readonly #database: DatabaseSync
  readonly #options: CatalogueOptions

  /** `database` comes from `openCatalogueDatabase`. */
  constructor(database: DatabaseSync, options: CatalogueOptions) {
    this.#database = database
    this.#options = options
  }

  /**
   * Puts a refresh in place of what a source offered before, in one transaction: what `lines` throws leaves everything as
   * it was. Returns the versions that are gone without having been yanked: a registry does not forget what it published
   * (M12).
   */
  async replace(source: CatalogueSource, refresh: Refresh, lines: ReadLines): Promise<Vanished> {
    return inTransactionAsync(this.#database, async () => {
      const before = this.sources().find(({ name }) => name === source.name)
      const isHolding = before !== undefined && stillHolds(before, refresh)
      this.#putSource(source, refresh, isHolding ? before.keysHold : refresh.keysHold)
      const writer = new CatalogueWriter(this.#database, source.name, refresh.channels)
      const known = isHolding ? writer.known() : new Map<never, never>()
      for await (const batch of lines((digest) => known.get(digest))) writer.add(batch)
      return { vanished: writer.finish() }
    })
  }

  /** As `replace`, where only the channels have changed and the index is the same. */
  async relabel(source: CatalogueSource, refresh: Refresh): Promise<void> {
    inTransaction(this.#database, () => {
      const before = this.sources().find(({ name }) => name === source.name)
      this.#putSource(source, refresh, before?.keysHold ?? refresh.keysHold)
      const writer = new CatalogueWriter(this.#database, source.name, refresh.channels)
      for (const batch of writer.lines()) writer.add(batch)
      writer.finish()
    })
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
      this.#database.prepare('DELETE FROM words WHERE rowid IN (SELECT id FROM names WHERE source = ?)').run(name)
      this.#database.prepare('DELETE FROM sources WHERE name = ?').run(name)
    })
  }

  /** By name. */
  sources(): readonly RefreshedSource[] {
    const rows = this.#database.prepare('SELECT * FROM sources ORDER BY name').all()
    return rows.map((row) => ({
      name: String(row['name']),
      priority: Number(row['priority']),
      addedAt: new Date(String(row['added_at'])),
      registryId: String(row['registry_id']),
      indexSha256: row['index_sha256'] as Sha256,
      channelsSha256: row['channels_sha256'] as Sha256,
      rootSha256: row['root_sha256'] as Sha256,
      keysHold: { from: new Date(String(row['verified_from'])), until: new Date(String(row['verified_until'])) },
      expiresAt: new Date(String(row['expires_at'])),
      refreshedAt: new Date(String(row['refreshed_at'])),
      count: Number(row['count']),
    }))
  }

  /** Everything offered under a name, the yanked and the not yet phased in included; newest first within a source. */
  versions(name: string): readonly CatalogueEntry[] {
    return this.#select('packages.name = ?', [name])
  }

  /** Every version of a name with what this host makes of it: what may be installed first, best first. */
  judge(name: string, installedFrom?: string): readonly Verdict<Offer & { readonly entry: CatalogueEntry }>[] {
    const sources = this.sources()
    const priorities = new Map(sources.map((one) => [one.name, one.priority]))
    const order = new Map<string, number>()
    const offers = this.versions(name).map((entry) => {
      const { source, channel, yanked, phasedPercent, line } = entry
      if (!order.has(source)) order.set(source, order.size)
      return {
        name,
        version: line.version,
        source,
        sourcePriority: priorities.get(source) ?? 0,
        sourceOrder: order.get(source) ?? 0,
        channel,
        ...(yanked === undefined ? {} : { yanked }),
        phasedPercent,
        entry,
      }
    })
    return judge(offers, this.#judging(installedFrom, new Set(priorities.keys())))
  }

  /** The versions that may be installed, best first; with `source`, those of that source whatever another one has. */
  available(name: string, { installedFrom, source }: CandidateOptions = {}): readonly CatalogueEntry[] {
    return this.judge(name, source ?? installedFrom)
      .filter(({ offer, refusal }) => refusal === undefined && (source === undefined || offer.source === source))
      .map(({ offer }) => offer.entry)
  }

  /** The version that an install or upgrade takes, `undefined` where there is none. */
  candidate(name: string, options: CandidateOptions = {}): CatalogueEntry | undefined {
    return this.available(name, options)[0]
  }

  /** The candidates of all names, by name, read without parsing lines. `installedFrom` says where packages came from. */
  summaries(installedFrom: ReadonlyMap<string, string> = new Map()): readonly PackageSummary[] {
    const rows = this.#database
      .prepare(
        `SELECT ${OFFER_COLUMNS} FROM packages JOIN sources ON sources.name = packages.source
         WHERE arch IN (?, 'all') ORDER BY packages.name, ${OFFER_ORDER}`,
      )
      .iterate(this.#options.arch)
    return this.#bestOf(rows as Iterable<Record<string, unknown>>, installedFrom)
  }

  /** Every version of all names, by name, newest first; `yanked` is the reason of a withdrawn one. */
  allVersions(): readonly (PackageSummary & { readonly yanked: string | null })[] {
    const rows = this.#database
      .prepare(
        `SELECT packages.source, packages.name, version, arch, kind, summary, yanked
         FROM packages JOIN sources ON sources.name = packages.source
         WHERE arch IN (?, 'all') ORDER BY packages.name, ${OFFER_ORDER}`,
      )
      .all(this.#options.arch)
    return rows as unknown as ReturnType<Catalogue['allVersions']>
  }

  /** Names of packages that provide a virtual one, by name. */
  providers(virtual: string): readonly string[] {
    return this.related('provides', virtual)
  }

  /** Names of packages of which some version has a relation of that kind that mentions `target`; by name. */
  related(kind: RelationKind, target: string): readonly string[] {
    const rows = this.#database
      .prepare('SELECT DISTINCT name FROM related WHERE kind = ? AND target = ? ORDER BY name')
      .all(kind, target)
    return rows.map((row) => String(row['name']))
  }

  /** All names, for suggestions. */
  names(): readonly string[] {
    const rows = this.#database.prepare('SELECT DISTINCT name FROM names ORDER BY name').all()
    return rows.map((row) => String(row['name']))
  }

  /**
   * Candidates whose name or summary has words that begin with all of the given ones: the name itself first, then names
   * that begin with the words, then by how much the words matter in name and summary.
   */
  search(words: readonly string[], installedFrom: ReadonlyMap<string, string> = new Map()): readonly PackageSummary[] {
    const terms = words.flatMap((word) => word.match(/[\p{L}\p{N}]+/gu) ?? [])
    if (terms.length === 0) return []
    const query = terms.map((term) => `"${term}"*`).join(' AND ')
    const whole = terms.join('-').toLowerCase()
    const found = this.#database
      .prepare(
        `SELECT names.name AS name, names.name = ? AS isName, substr(names.name, 1, ?) = ? AS isBeginning
         FROM words JOIN names ON names.id = words.rowid
         WHERE words MATCH ? ORDER BY isName DESC, isBeginning DESC, bm25(words, 10.0, 1.0), names.name`,
      )
      .all(whole, whole.length, whole, query)
    const order = new Map<string, number>()
    for (const { name } of found) if (!order.has(String(name))) order.set(String(name), order.size)
    const rows = this.#database
      .prepare(
        `SELECT ${OFFER_COLUMNS} FROM packages JOIN sources ON sources.name = packages.source
         WHERE packages.name IN (SELECT names.name FROM words JOIN names ON names.id = words.rowid WHERE words MATCH ?)
           AND arch IN (?, 'all') ORDER BY packages.name, ${OFFER_ORDER}`,
      )
      .iterate(query, this.#options.arch)
    const best = this.#bestOf(rows as Iterable<Record<string, unknown>>, installedFrom)
    return best.toSorted((a, b) => (order.get(a.name) ?? 0) - (order.get(b.name) ?? 0))
  }

  /** Of rows that come name by name, the best of each. */
  #bestOf(
    rows: Iterable<Record<string, unknown>>,
    installedFrom: ReadonlyMap<string, string>,
  ): readonly PackageSummary[] {
    const sources = new Set(this.sources().map(({ name }) => name))
    const best: PackageSummary[] = []
    let group: (Offer & PackageSummary)[] = []
    const close = (): void => {
      const [first] = group
      if (first === undefined) return
      const [top] = judge(group, this.#judging(installedFrom.get(first.name), sources))
      if (top !== undefined && top.refusal === undefined) {
        const { source, name, version, arch, kind, summary } = top.offer
        best.push({ source, name, version, arch, kind, summary })
      }
      group = []
    }
    let order = 0
    for (const row of rows) {
      if (group[0] !== undefined && group[0].name !== row['name']) close()
      order = group.length === 0 ? 0 : group.at(-1)?.source === row['source'] ? order : order + 1
      const { yanked, ...rest } = row
      group.push({ ...rest, sourceOrder: order, ...(yanked === null ? {} : { yanked }) } as Offer & PackageSummary)
    }
    close()
    return best
  }

  #judging(installedFrom: string | undefined, sources: ReadonlySet<string>) {
    const { seed, preferences = NO_PREFERENCES } = this.#options
    return { preferences, seed, installedFrom, sources }
  }

  #select(where: string, values: readonly SQLInputValue[]): readonly CatalogueEntry[] {
    const rows = this.#database
      .prepare(
        `SELECT packages.* FROM packages JOIN sources ON sources.name = packages.source
         WHERE ${where} AND arch IN (?, 'all') ORDER BY ${OFFER_ORDER}`,
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

  #putSource({ name, priority, addedAt }: CatalogueSource, refresh: Refresh, hold: KeysHold): void {
    const { envelope, keysHold, rootSha256, refreshedAt } = refresh
    // What was verified before and what is verified now both hold in the time that is in both.
    const from = new Date(Math.max(hold.from.getTime(), keysHold.from.getTime()))
    const until = new Date(Math.min(hold.until.getTime(), keysHold.until.getTime()))
    this.#database
      .prepare(
        `INSERT INTO sources (name, priority, added_at, registry_id, index_sha256, channels_sha256, root_sha256,
           verified_from, verified_until, count, expires_at, refreshed_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (name) DO UPDATE SET priority = excluded.priority, added_at = excluded.added_at,
           registry_id = excluded.registry_id, index_sha256 = excluded.index_sha256,
           channels_sha256 = excluded.channels_sha256, root_sha256 = excluded.root_sha256,
           verified_from = excluded.verified_from, verified_until = excluded.verified_until,
           count = excluded.count, expires_at = excluded.expires_at, refreshed_at = excluded.refreshed_at`,
      )
      .run(
        name,
        priority,
        addedAt.toISOString(),
        envelope.registryId,
        envelope.index.sha256,
        envelope.channels.sha256,
        rootSha256,
        from.toISOString(),
        until.toISOString(),
        envelope.index.count,
        envelope.expiresAt.toISOString(),
        refreshedAt.toISOString(),
      )
  }
}

/** True where lines that were verified then are still verified now. */
function stillHolds({ rootSha256, keysHold }: RefreshedSource, refresh: Refresh): boolean {
  const at = refresh.keysHold.from
  return rootSha256 === refresh.rootSha256 && keysHold.from <= at && at < keysHold.until
}
