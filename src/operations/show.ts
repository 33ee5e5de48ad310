/** Everything known about packages: the candidate's signed line, what is installed, where it comes from. */
import type { CatalogueEntry } from '../catalogue/catalogue.ts'
import { VmpkgError } from '../errors.ts'
import { explainCapability, grantName } from '../model/capability.ts'
import { parseVersion } from '../model/version.ts'
import { unknownPackage } from '../resolve/suggest.ts'
import type { Source } from '../sources/source.ts'
import type { InstalledPackage } from '../state/installed.ts'
import { openCatalogue } from './catalogue.ts'
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

/**
 * @param requests `name` or `name=version`
 * @throws {VmpkgError} `PACKAGE_UNKNOWN` `VERSION_INVALID`
 */
export async function show(
  workspace: Workspace,
  requests: readonly string[],
  { allVersions = false }: { readonly allVersions?: boolean } = {},
): Promise<readonly ShownPackage[]> {
  const sources = await sourceStore(workspace).list()
  using catalogue = openCatalogue(workspace)
  return requests.flatMap((request) => {
    const { name, version } = parseRequest(request)
    const installed = workspace.installed.find(name)
    const versions = catalogue.versions(name)
    const entry = catalogue.candidate(name, { installedFrom: installed?.source }) ?? versions[0]
    if (entry === undefined) throw unknownPackage(name, catalogue.names())
    const asked = version === undefined ? [entry] : versions.filter((one) => one.line.version === version)
    if (asked.length === 0) {
      throw new VmpkgError('PACKAGE_UNKNOWN', `No source has version ${version} of ${name}`, {
        hint: `There is ${versions.map((one) => one.line.version).join(', ')}.`,
      })
    }
    return (allVersions ? versions : asked).map((one) => describe(one, installed, versions, sources))
  })
}

function parseRequest(request: string): { readonly name: string; readonly version: string | undefined } {
  const at = request.indexOf('=')
  if (at === -1) return { name: request, version: undefined }
  return { name: request.slice(0, at), version: parseVersion(request.slice(at + 1)).text }
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
    capabilities: line.capabilities.map((one) => `${grantName(one)}: ${explainCapability(one)}`),
    images: line.images.map(({ role, size, digest }) => ({ role, size, digest })),
    downloadBytes: packs.reduce((sum, bytes) => sum + bytes, line.package.size),
    lineDigest,
    rootKeys: sources.find((one) => one.name === source)?.rootKeys ?? [],
  }
}
