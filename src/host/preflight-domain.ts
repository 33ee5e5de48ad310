/** All that preflight finds in a domain's definition: pure, over facts that were read before. */
import type { DomainDemand } from './preflight-demand.ts'
import { judgeDevices } from './preflight-devices.ts'
import { judgeEmulator } from './preflight-emulator.ts'
import type { HostFacts, HypervisorFacts } from './preflight-facts.ts'
import type { PreflightFinding } from './preflight-finding.ts'
import { judgeNetwork } from './preflight-network.ts'
import { judgeObjects } from './preflight-objects.ts'
import { judgeResources } from './preflight-resources.ts'
import { judgeStorage } from './preflight-storage.ts'

export function judgeDomain(
  demand: DomainDemand,
  host: HostFacts,
  hypervisor: HypervisorFacts,
): readonly PreflightFinding[] {
  return [
    ...judgeObjects(demand, hypervisor),
    ...judgeEmulator(demand, host, hypervisor),
    ...judgeStorage(demand, host, hypervisor),
    ...judgeResources(demand, host, hypervisor),
    ...judgeDevices(demand, host, hypervisor),
    ...judgeNetwork(demand, host, hypervisor),
  ]
}

/** What stays wrong until the start: files, memory and devices may still come. */
export function judgeDefinition(
  demand: DomainDemand,
  host: HostFacts,
  hypervisor: HypervisorFacts,
): readonly PreflightFinding[] {
  // Without swtpm libvirt does not know that QEMU can have a TPM, and refuses the definition already.
  const tpm = demand.tpm?.type === 'emulator' ? judgeDevices(demand, host, hypervisor) : []
  return [
    ...judgeObjects(demand, hypervisor),
    ...judgeEmulator(demand, host, hypervisor),
    ...tpm.filter((one) => one.class === 'tpm-missing'),
  ]
}
