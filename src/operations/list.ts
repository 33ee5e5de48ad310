/** Lists candidates and installed packages. */
import { matchesGlob } from 'node:path'
import { compareVersions, parseVersion } from '../model/version.ts'
import { findYank } from './candidates.ts'
import { openCatalogue } from './catalogue.ts'
import type { Workspace } from './workspace.ts'

export interface ListRow {
  readonly name: string
  readonly version: string
  readonly arch: string
  readonly kind: string
  readonly summary: string
  readonly source: string
  /**
   * `available`, `installed`, with `automatic`, `held`, `upgradable to VERSION`, `withdrawn: REASON` after it; of what was
   * removed `values kept`.
   */
  readonly state: string
}

/** By name. */
export function list(
  workspace: Workspace,
  { patterns, installedOnly }: { readonly patterns: readonly string[]; readonly installedOnly: boolean },
): readonly ListRow[] {
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
  const there = installedOnly
    ? []
    : [...candidates.values()]
        .filter(({ name }) => !names.has(name))
        .map((one) => row(one, one.source, kept.has(one.name) ? 'available, values kept' : 'available'))
  return [...here, ...there]
    .filter(({ name }) => patterns.length === 0 || patterns.some((pattern) => matchesGlob(name, pattern)))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

function row(
  line: Pick<ListRow, 'name' | 'version' | 'arch' | 'kind' | 'summary'>,
  source: string,
  state: string,
): ListRow {
  const { name, version, arch, kind, summary } = line
  return { name, version, arch, kind, summary, source, state }
}

function isNewer(candidate: string, installed: string): boolean {
  return compareVersions(parseVersion(candidate), parseVersion(installed)) > 0
}
