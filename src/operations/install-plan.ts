/** What an install or a remove would do, before anything is done: for the person, for `--dry-run --json`, and for apply. */
import type { Capability, CapabilityName } from '../model/capability.ts'

export interface PlanSummary {
  readonly changes: readonly { readonly verb: string; readonly items: readonly string[] }[]
  /** What packages may do on this host once installed. */
  readonly capabilities: readonly CapabilityNote[]
  /** What the user has not granted yet; nothing is done before they are (decisions 18). */
  readonly missingGrants: readonly CapabilityNote[]
  readonly downloadBytes: number
  readonly diskBytes: number
  readonly notes: readonly string[]
}

interface CapabilityNote {
  readonly package: string
  readonly capability: CapabilityName
  readonly reason: string
}

/** One clause that says what granting means. */
export function explainCapability(capability: Capability): string {
  switch (capability.name) {
    case 'network':
      return capability.wan === 'uplink'
        ? 'a network card on this host’s uplink'
        : `a network card on ${capability.wan === undefined ? 'a LAN of its own' : `the ${capability.wan} LAN`}`
    case 'host-bridge':
      return 'a network card on a bridge of this host'
    case 'pci':
      return `a PCI device of class ${capability.class}, taken away from this host while it runs`
    case 'hugepages':
      return 'memory from this host’s hugepages'
  }
}
