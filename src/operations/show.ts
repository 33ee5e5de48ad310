/** Everything known about packages: the candidate's signed line, what is installed, where it comes from. */
import { VmpkgError } from '../errors.ts'
import type { Capability } from '../model/capability.ts'
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
export async function show(workspace: Workspace, names: readonly string[]): Promise<readonly ShownPackage[]> {
  const sources = await sourceStore(workspace).list()
  using catalogue = openCatalogue(workspace)
  return names.map((name) => {
    const installed = workspace.installed.find(name)
    const versions = catalogue.versions(name)
    const entry = catalogue.candidate(name, { installedFrom: installed?.source }) ?? versions[0]
    if (entry === undefined) {
      throw new VmpkgError('PACKAGE_UNKNOWN', `No source has a package ${JSON.stringify(name.slice(0, 80))}`, {
        hint: 'Run vmpkg update, then vmpkg search WORD.',
      })
    }
    const { line, source, transport, lineDigest } = entry
    const packs = line.images.map(({ digest }) => transport.images[digest]?.fullBytes ?? 0)
    return {
      name,
      version: line.version,
      installedVersion: installed?.line.version,
      versions: versions.map((one) => one.line.version),
      arch: line.arch,
      kind: line.kind,
      layer: line.layer,
      summary: line.summary,
      source,
      depends: line.depends,
      capabilities: line.capabilities.map((one: Capability) => `${one.name}: ${explainCapability(one)}`),
      images: line.images.map(({ role, size, digest }) => ({ role, size, digest })),
      downloadBytes: packs.reduce((sum, bytes) => sum + bytes, line.package.size),
      lineDigest,
      rootKeys: sources.find((one) => one.name === source)?.rootKeys ?? [],
    }
  })
}
