/** Everything known about packages: the candidate's signed line, what is installed, where it comes from. */
import type { CatalogueEntry } from '../catalogue/catalogue.ts'
import { VmpkgError } from '../errors.ts'
import type { Capability } from '../model/capability.ts'
import type { Source } from '../sources/source.ts'
import type { InstalledPackage } from '../state/installed.ts'
import { openCatalogue } from './catalogue.ts'
import { explainCapability } from './install-plan.ts'
import { sourceStore } from './sources.ts'
import type { Workspace } from './workspace.ts'

export interface ShownPackage {
  readonly name: string
  readonly version: string
  readonly installedVersion: string | undefined
  readonly versions: readonly string[]
  readonly arch: string
  readonly kind: string
  readonly layer: string | undefined
  readonly summary: string
  readonly source: string
  readonly channel: string
  /** The reason, where it was withdrawn. */
  readonly yanked: string | undefined
  readonly recommends: readonly string[]
  readonly provides: readonly string[]
  readonly conflicts: readonly string[]
  readonly replaces: readonly string[]
  readonly depends: readonly string[]
  readonly capabilities: readonly string[]
  readonly images: readonly { readonly role: string; readonly size: number; readonly digest: string }[]
  readonly downloadBytes: number
  /** SHA-256 of the line's exact bytes that the publisher signed. */
  readonly lineDigest: string
  /** Root keys that the source is pinned to. */
  readonly rootKeys: readonly string[]
}

/** @throws {VmpkgError} `PACKAGE_UNKNOWN` */
export async function show(
  workspace: Workspace,
  names: readonly string[],
  { allVersions = false }: { readonly allVersions?: boolean } = {},
): Promise<readonly ShownPackage[]> {
  const sources = await sourceStore(workspace).list()
  using catalogue = openCatalogue(workspace)
  return names.flatMap((name) => {
    const installed = workspace.installed.find(name)
    const versions = catalogue.versions(name)
    const entry = catalogue.candidate(name, { installedFrom: installed?.source }) ?? versions[0]
    if (entry === undefined) {
      throw new VmpkgError('PACKAGE_UNKNOWN', `No source has a package ${JSON.stringify(name.slice(0, 80))}`, {
        hint: 'Run vmpkg update, then vmpkg search WORD.',
      })
    }
    return (allVersions ? versions : [entry]).map((one) => describe(one, installed, versions, sources))
  })
}

function describe(
  { line, source, transport, lineDigest, channel, yanked }: CatalogueEntry,
  installed: InstalledPackage | undefined,
  versions: readonly CatalogueEntry[],
  sources: readonly Source[],
): ShownPackage {
  const packs = line.images.map(({ digest }) => transport.images[digest]?.fullBytes ?? 0)
  return {
    name: line.name,
    version: line.version,
    installedVersion: installed?.line.version,
    versions: versions.map((one) => one.line.version),
    arch: line.arch,
    kind: line.kind,
    layer: line.layer,
    summary: line.summary,
    source,
    channel,
    yanked,
    recommends: line.recommends,
    provides: line.provides,
    conflicts: line.conflicts,
    replaces: line.replaces,
    depends: line.depends,
    capabilities: line.capabilities.map((one: Capability) => `${one.name}: ${explainCapability(one)}`),
    images: line.images.map(({ role, size, digest }) => ({ role, size, digest })),
    downloadBytes: packs.reduce((sum, bytes) => sum + bytes, line.package.size),
    lineDigest,
    rootKeys: sources.find((one) => one.name === source)?.rootKeys ?? [],
  }
}
