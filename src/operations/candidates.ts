/** From names on the command line to the changes that fulfil them, dependencies first. */
import type { Catalogue, CatalogueEntry } from '../catalogue/catalogue.ts'
import { VmpkgError } from '../errors.ts'
import { parsePackageName } from '../model/name.ts'
import { compareVersions, parseVersion } from '../model/version.ts'
import { resolve } from '../resolve/resolve.ts'
import type { Solution, Wish } from '../resolve/universe.ts'
import type { InstalledPackage } from '../state/installed.ts'
import { openCatalogue, requireCatalogue } from './catalogue.ts'
import type { Change } from './transition.ts'
import { heldNames, mayGoBack, universeOf } from './universe.ts'
import { findYank } from './withdrawn.ts'
import type { Workspace } from './workspace.ts'

export interface ChangeRequest {
  /** `name` or `name=version`. Installed ones without a version are upgraded, as apt does. */
  readonly install: readonly string[]
  readonly upgrade: 'all' | readonly string[]
  /** Also what is installed already, in its installed version. */
  readonly reinstall: boolean
}

export interface ResolvedChanges {
  readonly changes: readonly Change[]
  /** Installed packages for which there is something newer that is not taken, with the reason. */
  readonly keptBack: readonly string[]
  /** What the user should know of installed versions: withdrawn ones. */
  readonly notes: readonly string[]
}

/**
 * What has to change so that the requests hold; nothing when they hold already.
 * @throws {VmpkgError} `PACKAGE_UNKNOWN` `RELATION_CONFLICT` `SOURCE_UNKNOWN` `NAME_INVALID` `VERSION_INVALID`
 *   `PACKAGE_NOT_INSTALLED`
 */
export function resolveChanges(workspace: Workspace, request: ChangeRequest): ResolvedChanges {
  requireCatalogue(workspace)
  using catalogue = openCatalogue(workspace)
  const installed = workspace.installed.list()
  const wishes = request.install.map(parseWish)
  if (request.upgrade !== 'all') for (const name of request.upgrade) workspace.installed.get(name)
  const byName = new Map(installed.map((one) => [one.line.name, one]))
  const again = wishes.filter(({ name, version }) => version === undefined && byName.has(name)).map(({ name }) => name)
  const { steps } = resolve(
    {
      install: wishes,
      upgrade: request.upgrade === 'all' ? 'all' : [...request.upgrade, ...(request.reinstall ? [] : again)],
      holds: heldNames(installed),
      downgrade: mayGoBack(catalogue, installed),
      installed: installed.map((one) => ({ candidate: entryOf(catalogue, one), isAuto: one.isAuto })),
    },
    universeOf(catalogue, installed),
  )
  const resolved = steps.map((step) => toChange(step, byName))
  for (const { kind, before } of resolved) if (kind === 'remove' && before?.isHeld === true) throw heldError(before)
  const changes = [...resolved, ...restated(catalogue, wishes, byName, resolved, request.reinstall)]
  return {
    changes: [...changes.filter(({ kind }) => kind !== 'remove'), ...changes.filter(({ kind }) => kind === 'remove')],
    keptBack: listKeptBack(catalogue, installed, changes),
    notes: installed.flatMap((one) => withdrawnNote(catalogue, one, changes) ?? []),
  }
}

function toChange(
  step: Solution<CatalogueEntry>['steps'][number],
  byName: ReadonlyMap<string, InstalledPackage>,
): Change {
  const { name } = step.candidate.line
  const before = byName.get(name)
  if (step.kind === 'remove') return { kind: 'remove', name, before, target: undefined }
  const target = { entry: step.candidate, isAuto: step.isAuto, isHeld: before?.isHeld ?? false }
  return { kind: step.kind, name, before, target }
}

/** What was asked for by name and is there: installed again where that is wanted, and no longer a mere dependency. */
function restated(
  catalogue: Catalogue,
  wishes: readonly Wish[],
  byName: ReadonlyMap<string, InstalledPackage>,
  resolved: readonly Change[],
  reinstall: boolean,
): readonly Change[] {
  return wishes.flatMap(({ name }): readonly Change[] => {
    const before = byName.get(name)
    if (before === undefined || resolved.some((change) => change.name === name)) return []
    if (!reinstall && !before.isAuto) return []
    const target = { entry: entryOf(catalogue, before), isAuto: false, isHeld: before.isHeld }
    return [{ kind: reinstall ? 'reinstall' : 'mark', name, before, target }]
  })
}

function listKeptBack(
  catalogue: Catalogue,
  installed: readonly InstalledPackage[],
  changes: readonly Change[],
): readonly string[] {
  return installed.flatMap(({ line, source, isHeld }) => {
    if (changes.some(({ name, kind }) => name === line.name && kind !== 'mark')) return []
    const newest = catalogue.candidate(line.name, { installedFrom: source })
    const isNewer =
      newest !== undefined && compareVersions(parseVersion(newest.line.version), parseVersion(line.version)) > 0
    return isNewer ? [`${line.name} (${newest.line.version}${isHeld ? ', held' : ''})`] : []
  })
}

/** An installed version that its publisher has withdrawn since, and that stays. */
function withdrawnNote(catalogue: Catalogue, one: InstalledPackage, changes: readonly Change[]): string | undefined {
  if (changes.some(({ name, kind }) => name === one.line.name && kind !== 'mark')) return undefined
  const reason = findYank(catalogue, one)
  return reason === undefined
    ? undefined
    : `${one.line.name} ${one.line.version} was withdrawn by its publisher: ${reason}`
}

/** `name` or `name=version`. @throws {VmpkgError} `NAME_INVALID` `VERSION_INVALID` */
export function parseWish(text: string): Wish {
  const at = text.indexOf('=')
  if (at === -1) return { name: parsePackageName(text) }
  return { name: parsePackageName(text.slice(0, at)), version: `= ${parseVersion(text.slice(at + 1)).text}` }
}

/** What may not change or go because the user said so. */
export function heldError({ line }: InstalledPackage): VmpkgError {
  return new VmpkgError('RELATION_CONFLICT', `${line.name} ${line.version} is held`, {
    hint: `vmpkg unhold ${line.name} lets it go.`,
    details: { held: [line.name] },
  })
}

/** An installed version with its current transport, where a source still offers it. */
export function entryOf(catalogue: Catalogue, { line, source }: InstalledPackage): CatalogueEntry {
  return (
    findOffer(catalogue, line, source) ?? {
      source,
      line,
      lineDigest: line.package.sha256,
      transport: { images: {} },
      channel: 'stable',
      phasedPercent: 100,
    }
  )
}

/** The very same package as a source offers it now: the one it came from, else any. */
export function findOffer(
  catalogue: Catalogue,
  line: InstalledPackage['line'],
  source: string,
): CatalogueEntry | undefined {
  const same = catalogue
    .versions(line.name)
    .filter((one) => one.line.version === line.version && one.line.package.sha256 === line.package.sha256)
  return same.find((one) => one.source === source) ?? same[0]
}
