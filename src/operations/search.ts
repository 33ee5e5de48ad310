/** Full-text search over the candidates of all sources. */
import type { PackageSummary } from '../catalogue/catalogue.ts'
import { openCatalogue, requireCatalogue } from './catalogue.ts'
import type { Workspace } from './workspace.ts'

/** Best matches first. @throws {VmpkgError} `SOURCE_UNKNOWN` before the first update */
export function search(workspace: Workspace, words: readonly string[]): readonly PackageSummary[] {
  requireCatalogue(workspace)
  using catalogue = openCatalogue(workspace)
  const installed = workspace.installed.list()
  return catalogue.search(words, new Map(installed.map(({ line, source }) => [line.name, source])))
}
