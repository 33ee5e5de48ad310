/** Lists candidates and installed packages. */
import { matchesGlob } from 'node:path'
import type { PackageSummary } from '../catalogue/catalogue.ts'
import { compareVersions, parseVersion } from '../model/version.ts'
import type { InstalledPackage } from '../state/installed.ts'
import { openCatalogue } from './catalogue.ts'
import { heldNames } from './universe.ts'
import { findYank } from './withdrawn.ts'
import type { Workspace } from './workspace.ts'

export interface ListRow {
  readonly name: string
  readonly version: string
  readonly arch: string
  readonly kind: string
  readonly summary: string
  readonly source: string
  /**
   * `available`, `withdrawn: REASON`, or `installed`, with `automatic`, `held`, `upgradable to VERSION`, `withdrawn: REASON` after it; of what was
   * removed `values kept`.
   */
  readonly state: string
}

/** What to list: everything, or packages of which this is true. */
export type ListFilter = 'installed' | 'upgradable' | 'manual' | 'auto' | 'held'

export interface ListRequest {
  readonly patterns: readonly string[]
  readonly filter?: ListFilter | undefined
  /** Every version that a source has, not only candidates and installed ones. */
  readonly allVersions?: boolean
}

/** By name, newest version first. */
export function list(workspace: Workspace, { patterns, filter, allVersions = false }: ListRequest): readonly ListRow[] {
  using catalogue = openCatalogue(workspace)
  const installed = workspace.installed.list()
  const summaries = catalogue.summaries(new Map(installed.map(({ line, source }) => [line.name, source])))
  const candidates = new Map(summaries.map((one) => [one.name, one]))
  const here = installed.map((one): ListRow => {
    const { line, source, isAuto, isHeld } = one
    const candidate = candidates.get(line.name)?.version
    const yanked = findYank(catalogue, one)
    const isUpgradable = candidate !== undefined && isNewer(candidate, line.version)
    const states = [
      'installed',
      ...(isAuto ? ['automatic'] : []),
      ...(isHeld ? ['held'] : []),
      ...(isUpgradable ? [`upgradable to ${candidate}`] : []),
      ...(yanked === undefined ? [] : [`withdrawn: ${yanked}`]),
    ]
    return row(line, source, states.join(', '))
  })
  const kept = new Set(workspace.keptValues.names())
  const names = new Set(here.map(({ name }) => name))
  const there = [...candidates.values()]
    .filter(({ name }) => !names.has(name))
    .map((one) => row(one, one.source, kept.has(one.name) ? 'available, values kept' : 'available'))
  const isHere = new Set(here.map((one) => `${one.name} ${one.version} ${one.source}`))
  const others = allVersions
    ? catalogue
        .allVersions()
        .filter((one) => !isHere.has(`${one.name} ${one.version} ${one.source}`))
        .map((one) => row(one, one.source, one.yanked === null ? 'available' : `withdrawn: ${one.yanked}`))
    : there
  const wanted = filter === undefined ? undefined : new Set(installed.filter(isWanted(filter, candidates)).map(nameOf))
  return [...here, ...(filter === undefined || allVersions ? others : [])]
    .filter(({ name }) => wanted === undefined || wanted.has(name))
    .filter(({ name }) => patterns.length === 0 || patterns.some((pattern) => matchesGlob(name, pattern)))
    .toSorted((a, b) => (a.name === b.name ? byVersion(b, a) : a.name < b.name ? -1 : 1))
}

function nameOf({ line }: InstalledPackage): string {
  return line.name
}

function isWanted(
  filter: ListFilter,
  candidates: ReadonlyMap<string, PackageSummary>,
): (one: InstalledPackage) => boolean {
  return (one) => {
    const candidate = candidates.get(one.line.name)?.version
    switch (filter) {
      case 'installed':
        return true
      case 'auto':
        return one.isAuto
      case 'manual':
        return !one.isAuto
      case 'held':
        return heldNames([one]).length > 0
      case 'upgradable':
        return candidate !== undefined && compareVersions(parseVersion(candidate), parseVersion(one.line.version)) > 0
    }
  }
}

function row(
  line: Pick<ListRow, 'name' | 'version' | 'arch' | 'kind' | 'summary'>,
  source: string,
  state: string,
): ListRow {
  const { name, version, arch, kind, summary } = line
  return { name, version, arch, kind, summary, source, state }
}

function byVersion(a: ListRow, b: ListRow): number {
  return compareVersions(parseVersion(a.version), parseVersion(b.version))
}

function isNewer(candidate: string, installed: string): boolean {
  return compareVersions(parseVersion(candidate), parseVersion(installed)) > 0
}
