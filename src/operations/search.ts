/** Full-text search over the candidates of all sources. */
import { openCatalogue, requireCatalogue } from './catalogue.ts'
import type { Workspace } from './workspace.ts'

export interface SearchRow {
  readonly name: string
  readonly version: string
  readonly kind: string
  readonly source: string
  readonly summary: string
}

/** Best matches first. @throws {VmpkgError} `SOURCE_UNKNOWN` before the first update */
export function search(workspace: Workspace, words: readonly string[]): readonly SearchRow[] {
  requireCatalogue(workspace)
  using catalogue = openCatalogue(workspace)
  return catalogue.search(words).map(({ line, source }) => {
    const { name, version, kind, summary } = line
    return { name, version, kind, source, summary }
  })
}
