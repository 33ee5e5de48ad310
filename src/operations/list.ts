/** Lists candidates and installed packages. */
import { matchesGlob } from 'node:path'
import { openCatalogue } from './catalogue.ts'
import type { Workspace } from './workspace.ts'

export interface ListRow {
  readonly name: string
  readonly version: string
  readonly arch: string
  readonly kind: string
  readonly summary: string
  readonly source: string
  /** `available`, `installed`, `installed, upgradable to VERSION`. */
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
  const here = installed.map(({ line, source }): ListRow => {
    const candidate = candidates.get(line.name)?.version
    const isCurrent = candidate === undefined || candidate === line.version
    return row(line, source, isCurrent ? 'installed' : `installed, upgradable to ${candidate}`)
  })
  const names = new Set(here.map(({ name }) => name))
  const there = installedOnly
    ? []
    : [...candidates.values()].filter(({ name }) => !names.has(name)).map((one) => row(one, one.source, 'available'))
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
