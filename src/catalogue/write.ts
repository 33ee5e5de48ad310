/**
 * Puts a new index in place of what a source offered before. Only packages of which some line has changed are written:
 * of a hundred thousand versions an ordinary day changes a few. The caller holds the transaction.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Sha256 } from '../model/digest.ts'
import type { Arch, PackageLine } from '../model/line.ts'
import type { ChannelEntry, Channels } from '../model/registry.ts'
import { parseRelation } from '../model/relation.ts'
import type { IndexLine } from '../trust/index-lines.ts'
import type { Verified } from '../trust/verified.ts'

interface Row {
  readonly id: number
  readonly version: string
  readonly arch: Arch
  readonly wireDigest: Sha256
  readonly state: string
  readonly isYanked: boolean
}

type Named = Pick<PackageLine, 'name' | 'version' | 'arch'>

export const RELATION_KINDS = ['depends', 'recommends', 'provides', 'conflicts', 'replaces'] as const
export type RelationKind = (typeof RELATION_KINDS)[number]

export class CatalogueWriter {
  readonly #source: string
  readonly #changes: ReadonlyMap<string, ChannelEntry>
  /** By name, in order; what is left at the end has gone from the index. */
  readonly #before = new Map<string, Row[]>()
  readonly #vanished: { readonly name: string; readonly version: string }[] = []
  readonly #statements: Statements
  #name: string | undefined
  #lines: IndexLine[] = []

  constructor(database: DatabaseSync, source: string, channels: Verified<Channels>) {
    this.#source = source
    this.#changes = new Map(channels.entries.map((entry) => [keyOf(entry), entry]))
    this.#statements = prepare(database)
    for (const row of this.#statements.before.iterate(source)) {
      const name = String(row['name'])
      const list = this.#before.get(name)
      const one: Row = {
        id: Number(row['id']),
        version: String(row['version']),
        arch: row['arch'] as Arch,
        wireDigest: row['wire_digest'] as Sha256,
        isYanked: row['yanked'] !== null,
        state: stateOf(String(row['channel']), row['yanked'] as string | null, Number(row['phased_percent'])),
      }
      if (list === undefined) this.#before.set(name, [one])
      else list.push(one)
    }
  }

  /** What is there already, by the digest of its wire line. */
  known(): ReadonlyMap<Sha256, Named> {
    const known = new Map<Sha256, Named>()
    for (const [name, rows] of this.#before) {
      for (const { version, arch, wireDigest } of rows) known.set(wireDigest, { name, version, arch })
    }
    return known
  }

  /** What is there already, as lines of an index. */
  *lines(): Generator<readonly IndexLine[]> {
    for (const [name, rows] of this.#before) {
      yield rows.map(({ version, arch, wireDigest }) => ({ name, version, arch, wireDigest }))
    }
  }

  /** Lines in the order of the index. Known ones come without their entry. */
  add(lines: readonly IndexLine[]): void {
    for (const line of lines) {
      if (line.name !== this.#name) this.#flush()
      this.#name = line.name
      this.#lines.push(line)
    }
  }

  /** The versions that are gone without having been yanked: a registry does not forget what it published (M12). */
  finish(): readonly { readonly name: string; readonly version: string }[] {
    this.#flush()
    for (const [name, rows] of this.#before) {
      for (const row of rows) this.#drop(name, row)
      this.#statements.dropRelated.run(this.#source, name)
      this.#forgetWords(name)
    }
    return this.#vanished
  }

  #flush(): void {
    const [name, lines] = [this.#name, this.#lines]
    this.#lines = []
    if (name === undefined) return
    const before = this.#before.get(name) ?? []
    this.#before.delete(name)
    const isSame =
      before.length === lines.length &&
      lines.every((line, i) => line.wireDigest === before[i]?.wireDigest && this.#stateOf(line) === before[i]?.state)
    if (isSame) return
    const known = new Map(before.map((row) => [row.wireDigest, row]))
    if (before.length > 0) this.#statements.hideRanks.run(this.#source, name)
    for (const [rank, line] of lines.entries()) {
      const row = known.get(line.wireDigest)
      if (row !== undefined) this.#keep(row, line, rank)
      else this.#insert(line, rank)
      known.delete(line.wireDigest)
    }
    const isStill = new Set(lines.map((line) => `${line.version} ${line.arch}`))
    for (const row of known.values()) this.#drop(name, row, isStill)
    this.#describe(name, before.length > 0)
  }

  #keep({ id }: Row, line: IndexLine, rank: number): void {
    const { channel, yanked, phasedPercent } = this.#changeOf(line)
    this.#statements.keep.run(rank, channel, yanked, phasedPercent, id)
  }

  #insert({ entry, wireDigest }: IndexLine, rank: number): void {
    if (entry === undefined) throw new TypeError('a line is new that was said to be known')
    const { line, lineDigest, transport } = entry
    const { name, version, arch, kind, summary } = line
    const { channel, yanked, phasedPercent } = this.#changeOf(line)
    const json = [JSON.stringify(line), JSON.stringify(transport)] as const
    const facts = [name, version, arch, rank, kind, summary, channel, yanked, phasedPercent] as const
    this.#statements.insert.run(this.#source, ...facts, wireDigest, lineDigest, ...json)
  }

  #drop(name: string, row: Row, isStill: ReadonlySet<string> = new Set()): void {
    this.#statements.drop.run(row.id)
    // The same version with another signature or transport has not vanished.
    if (row.isYanked || isStill.has(`${row.version} ${row.arch}`)) return
    this.#vanished.push({ name, version: row.version })
  }

  /** What is looked up by other names, and what is searched. */
  #describe(name: string, isKnown: boolean): void {
    if (isKnown) {
      this.#statements.dropRelated.run(this.#source, name)
      this.#forgetWords(name)
    }
    let summary = ''
    const related = new Set<string>()
    for (const row of this.#statements.lines.iterate(this.#source, name)) {
      const line = JSON.parse(String(row['line'])) as PackageLine
      summary = line.summary
      for (const kind of RELATION_KINDS) {
        for (const text of line[kind]) {
          for (const alternative of parseRelation(text).alternatives) related.add(`${kind} ${alternative.name}`)
        }
      }
    }
    for (const pair of related)
      this.#statements.relate.run(...(pair.split(' ') as [string, string]), name, this.#source)
    const { lastInsertRowid } = this.#statements.name.run(this.#source, name)
    this.#statements.word.run(lastInsertRowid, name, summary)
  }

  #forgetWords(name: string): void {
    const row = this.#statements.findName.get(this.#source, name)
    if (row === undefined) return
    this.#statements.dropWord.run(Number(row['id']))
    this.#statements.dropName.run(Number(row['id']))
  }

  #changeOf(line: Named): { channel: string; yanked: string | null; phasedPercent: number } {
    const { channel = 'stable', yanked = null, phasedPercent = 100 } = this.#changes.get(keyOf(line)) ?? {}
    return { channel, yanked, phasedPercent }
  }

  #stateOf(line: Named): string {
    const { channel, yanked, phasedPercent } = this.#changeOf(line)
    return stateOf(channel, yanked, phasedPercent)
  }
}

type Statements = Readonly<
  Record<
    | 'before'
    | 'hideRanks'
    | 'keep'
    | 'insert'
    | 'drop'
    | 'lines'
    | 'dropRelated'
    | 'relate'
    | 'name'
    | 'findName'
    | 'dropName'
    | 'word'
    | 'dropWord',
    StatementSync
  >
>

function prepare(database: DatabaseSync): Statements {
  const sql = (text: string) => database.prepare(text)
  return {
    before: sql(
      `SELECT id, name, version, arch, wire_digest, channel, yanked, phased_percent
       FROM packages WHERE source = ? ORDER BY name, rank`,
    ),
    hideRanks: sql('UPDATE packages SET rank = -1 - rank WHERE source = ? AND name = ?'),
    keep: sql('UPDATE packages SET rank = ?, channel = ?, yanked = ?, phased_percent = ? WHERE id = ?'),
    insert: sql(
      `INSERT INTO packages (source, name, version, arch, rank, kind, summary, channel, yanked, phased_percent,
         wire_digest, line_digest, line, transport)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    drop: sql('DELETE FROM packages WHERE id = ?'),
    lines: sql('SELECT line FROM packages WHERE source = ? AND name = ? AND rank >= 0 ORDER BY rank'),
    dropRelated: sql('DELETE FROM related WHERE source = ? AND name = ?'),
    relate: sql('INSERT INTO related (kind, target, name, source) VALUES (?, ?, ?, ?)'),
    name: sql('INSERT INTO names (source, name) VALUES (?, ?)'),
    findName: sql('SELECT id FROM names WHERE source = ? AND name = ?'),
    dropName: sql('DELETE FROM names WHERE id = ?'),
    word: sql('INSERT INTO words (rowid, name, summary) VALUES (?, ?, ?)'),
    dropWord: sql('DELETE FROM words WHERE rowid = ?'),
  }
}

function stateOf(channel: string, yanked: string | null, phasedPercent: number): string {
  return JSON.stringify([channel, phasedPercent, ...(yanked === null ? [] : ['yanked', yanked])])
}

function keyOf({ name, version, arch }: Named): string {
  return `${name} ${version} ${arch}`
}
