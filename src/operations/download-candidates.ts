/** From names on the command line to the package versions to download, whatever is installed here. */
import type { CatalogueEntry } from '../catalogue/catalogue.ts'
import { parsePackageName } from '../model/name.ts'
import { parseVersion } from '../model/version.ts'
import { resolve } from '../resolve/resolve.ts'
import type { Wish } from '../resolve/universe.ts'
import { openCatalogue, requireCatalogue } from './catalogue.ts'
import type { Workspace } from './workspace.ts'

export interface ChooseDownloadsOptions {
  /** `name` or `name=version`. */
  readonly requests: readonly string[]
  /** Also what they depend on, as on a host with nothing installed. */
  readonly withDepends: boolean
}

/** @throws {VmpkgError} `PACKAGE_UNKNOWN` `RELATION_CONFLICT` `SOURCE_UNKNOWN` `NAME_INVALID` `VERSION_INVALID` */
export function chooseDownloads(
  workspace: Workspace,
  { requests, withDepends }: ChooseDownloadsOptions,
): readonly CatalogueEntry[] {
  requireCatalogue(workspace)
  using catalogue = openCatalogue(workspace)
  const offered = (name: string): readonly CatalogueEntry[] =>
    catalogue.available(name, { installedFrom: workspace.installed.find(name)?.source })
  const originals = new Map<CatalogueEntry, CatalogueEntry>()
  const alone = (entry: CatalogueEntry): CatalogueEntry => {
    const line = { ...entry.line, depends: [], recommends: [], conflicts: [], replaces: [] }
    const copy = { ...entry, line }
    originals.set(copy, entry)
    return copy
  }
  const { chosen } = resolve(
    { install: requests.map(parseWish), installed: [] },
    {
      available: (name) => (withDepends ? offered(name) : offered(name).map(alone)),
      providers: (virtual) => catalogue.providers(virtual),
      names: () => catalogue.names(),
    },
  )
  return [...chosen.values()].map((entry) => originals.get(entry) ?? entry)
}

function parseWish(text: string): Wish {
  const at = text.indexOf('=')
  if (at === -1) return { name: parsePackageName(text) }
  return { name: parsePackageName(text.slice(0, at)), version: `= ${parseVersion(text.slice(at + 1)).text}` }
}
