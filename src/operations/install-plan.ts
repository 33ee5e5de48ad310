/** What a command would do to packages, before anything is done: for the person, for `--dry-run --json`, and for apply. */
import { VmpkgError } from '../errors.ts'
import { type Capability, explainCapability, type GrantName, grantName } from '../model/capability.ts'

export interface PlanSummary {
  /** In apt's order: what is upgraded first, what is removed last. */
  readonly changes: readonly { readonly verb: string; readonly items: readonly string[] }[]
  readonly packages: readonly PackageNote[]
  /** Domains and networks that are there and get another definition. */
  readonly definitions: readonly DefinitionNote[]
  /** Machines that go on with their old images and definition until they are restarted. */
  readonly restarts: readonly string[]
  /** What packages may do on this host once installed. */
  readonly capabilities: readonly CapabilityNote[]
  /** What the user has not granted yet; nothing is done before they are (decisions 18). */
  readonly missingGrants: readonly CapabilityNote[]
  readonly downloadBytes: number
  readonly diskBytes: number
  readonly notes: readonly string[]
}

export interface PackageNote {
  readonly name: string
  readonly action: 'install' | 'upgrade' | 'downgrade' | 'reinstall' | 'remove' | 'mark'
  /** Versions. */
  readonly from?: string
  readonly to?: string
}

export interface DefinitionNote {
  readonly kind: 'domain' | 'network'
  readonly name: string
  /** Unified, of our renderings, old to new; empty where nothing but the version in our metadata changes. */
  readonly diff: string
  /** True where it holds edits made with virsh, which stay. */
  readonly edited: boolean
  /** What both the package and the user changed. */
  readonly conflicts: readonly string[]
}

export interface CapabilityNote {
  readonly package: string
  readonly capability: GrantName
  readonly reason: string
}

export function noteOf(name: string, capability: Capability): CapabilityNote {
  return { package: name, capability: grantName(capability), reason: explainCapability(capability) }
}

/** @param command that grants it, where it is known */
export function notGranted(missing: readonly CapabilityNote[], command?: string): VmpkgError {
  const names = [...new Set(missing.map(({ capability }) => capability))]
  const words = names.map((name) => `--grant ${name}`).join(' ')
  return new VmpkgError(
    'CAPABILITY_NOT_GRANTED',
    `Not granted: ${missing.map((one) => `${one.capability} to ${one.package}`).join(', ')}`,
    {
      hint: command === undefined ? `When you agree, add ${words}.` : `When you agree: ${command} ${words}`,
      details: { missing },
    },
  )
}
