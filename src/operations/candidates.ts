/** From names on the command line to the package versions to install, dependencies first. */
import type { Catalogue, CatalogueEntry } from '../catalogue/catalogue.ts'
import { VmpkgError } from '../errors.ts'
import { parsePackageName } from '../model/name.ts'
import { parseVersion } from '../model/version.ts'
import { resolve } from '../resolve/resolve.ts'
import type { Wish } from '../resolve/universe.ts'
import type { InstalledPackage } from '../state/installed.ts'
import { openCatalogue, requireCatalogue } from './catalogue.ts'
import { heldNames, mayGoBack, universeOf } from './universe.ts'
import type { Workspace } from './workspace.ts'

export interface Chosen {
  readonly candidate: CatalogueEntry
  readonly isAuto: boolean
}

/**
 * What has to be installed so that the requests hold; nothing when they hold already.
 * @param requests `name` or `name=version`
 * @param reinstall also what is installed already, in its installed version
 * @throws {VmpkgError} `PACKAGE_UNKNOWN` `RELATION_CONFLICT` `SOURCE_UNKNOWN` `NAME_INVALID` `VERSION_INVALID`
 */
export function resolveRequests(
  workspace: Workspace,
  requests: readonly string[],
  reinstall: boolean,
): readonly Chosen[] {
  requireCatalogue(workspace)
  using catalogue = openCatalogue(workspace)
  const installed = workspace.installed.list()
  const wishes = requests.map(parseWish)
  const { steps } = resolve(
    {
      install: wishes,
      holds: heldNames(installed),
      downgrade: mayGoBack(catalogue, installed),
      installed: installed.map((one) => ({ candidate: entryOf(catalogue, one), isAuto: one.isAuto })),
    },
    universeOf(catalogue, installed),
  )
  const chosen = steps.map((step): Chosen => {
    if (step.kind === 'install') return { candidate: step.candidate, isAuto: step.isAuto }
    const { name, version } = step.candidate.line
    throw new VmpkgError(
      'RELATION_CONFLICT',
      `This would ${step.kind} ${name} to ${version}, which install does not do`,
      {
        hint: `Remove ${name} first, or ask for other versions.`,
      },
    )
  })
  const again = installed
    .filter(({ line }) => reinstall && wishes.some(({ name }) => name === line.name))
    .map((one): Chosen => ({ candidate: entryOf(catalogue, one), isAuto: one.isAuto }))
  return [...chosen, ...again]
}

/** `name` or `name=version`. @throws {VmpkgError} `NAME_INVALID` `VERSION_INVALID` */
export function parseWish(text: string): Wish {
  const at = text.indexOf('=')
  if (at === -1) return { name: parsePackageName(text) }
  return { name: parsePackageName(text.slice(0, at)), version: `= ${parseVersion(text.slice(at + 1)).text}` }
}

/** An installed version with its current transport, where a source still offers it. */
export function entryOf(catalogue: Catalogue, { line, source }: InstalledPackage): CatalogueEntry {
  const offered = catalogue
    .versions(line.name)
    .find(
      (one) =>
        one.source === source && one.line.version === line.version && one.line.package.sha256 === line.package.sha256,
    )
  return (
    offered ?? {
      source,
      line,
      lineDigest: line.package.sha256,
      transport: { images: {} },
      channel: 'stable',
      phasedPercent: 100,
    }
  )
}
