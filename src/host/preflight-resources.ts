/**
 * Memory, hugepages, NUMA nodes and processors. Pure.
 *
 * Source: libvirt's formatdomain.rst (memoryBacking, numatune, cputune); QEMU locks a guest's memory and about 1 GiB
 * more for its device memory when it passes a device through (libvirt's qemuDomainGetMemLockLimitBytes).
 */
import { formatSize } from '../model/size.ts'
import type { DomainDemand } from './preflight-demand.ts'
import type { HostFacts, HypervisorFacts } from './preflight-facts.ts'
import { finding, type PreflightFinding } from './preflight-finding.ts'

const MIB = 1_024
const GIB = 1_048_576

export function judgeResources(
  demand: DomainDemand,
  host: HostFacts,
  hypervisor: HypervisorFacts,
): readonly PreflightFinding[] {
  return [
    ...(demand.hugepages.length === 0 ? judgeMemory(demand, host) : judgeHugepages(demand, host)),
    ...judgeNodes(demand, host),
    ...judgeLockedMemory(demand, host),
    ...judgeVcpus(demand, hypervisor),
    ...judgePins(demand, host),
    ...judgeCpu(demand, hypervisor),
  ]
}

function judgeMemory({ memoryKib }: DomainDemand, { availableMemoryKib }: HostFacts): readonly PreflightFinding[] {
  if (availableMemoryKib === undefined || memoryKib <= availableMemoryKib) return []
  const needed = Math.ceil(memoryKib / MIB)
  const available = Math.floor(availableMemoryKib / MIB)
  return [
    finding(
      'memory-short',
      'memory',
      `Not enough memory: ${needed} MiB needed, ${available} MiB available`,
      'Stop other guests, or give this one less memory.',
    ),
  ]
}

function judgeHugepages(
  { name, hugepages }: DomainDemand,
  { hugepages: pools, defaultHugepageKib = 2_048 }: HostFacts,
): readonly PreflightFinding[] {
  if (pools === undefined) return []
  const bySize = Map.groupBy(hugepages, ({ sizeKib = defaultHugepageKib }) => sizeKib)
  return [...bySize].flatMap(([sizeKib, cells]) => {
    const pool = pools.get(sizeKib)
    const size = `${sizeKib} KiB`
    if (pool === undefined)
      return [
        finding(
          'hugepages-size',
          'memoryBacking',
          `this host has no hugepages of ${size}`,
          `It has ${[...pools.keys()].map((one) => `${one} KiB`).join(', ') || 'none'}; name one of these in <page>.`,
        ),
      ]
    const parts = [...Map.groupBy(cells, ({ hostNodes }) => hostNodes.join(' ')).values()].map((part) => ({
      nodes: pool.byNode.size === 0 ? [] : (part[0]?.hostNodes ?? []),
      count: part.reduce((sum, { memoryKib }) => sum + Math.ceil(memoryKib / sizeKib), 0),
    }))
    const fix = `Reserve them as root: ${parts.map((part) => reserveCommand(name, sizeKib, part)).join(' && ')}`
    const short = (text: string): PreflightFinding => finding('hugepages-short', 'memoryBacking', text, fix)
    const needed = parts.reduce((sum, { count }) => sum + count, 0)
    if (pool.free < needed) return [short(`${needed} hugepages of ${size} are needed and ${pool.free} are free`)]
    return parts.flatMap(({ nodes, count }) => {
      const bound = nodes.reduce((sum, node) => sum + (pool.byNode.get(node) ?? 0), 0)
      if (nodes.length === 0 || bound >= count) return []
      const where = `on NUMA node ${nodes.join(', ')}`
      return [short(`${count} hugepages of ${size} are needed ${where} and ${bound} are free there`)]
    })
  })
}

/** As `vmpkg host hugepages reserve` takes it: so many more that the whole need is free. */
function reserveCommand(
  name: string,
  sizeKib: number,
  { nodes, count }: { readonly nodes: readonly number[]; readonly count: number },
): string {
  const owner = /^[\w.@%+:,/-]+$/.test(name) ? name : `'${name.replaceAll("'", "'\\''")}'`
  const [memory, page] = [formatSize(count * sizeKib * 1024), formatSize(sizeKib * 1024)]
  const where = nodes.length === 0 ? '' : ` --node ${nodes.join(' ')}`
  return `vmpkg host hugepages reserve ${memory} --size ${page}${where} --for ${owner}`
}

function judgeNodes({ memoryNodes }: DomainDemand, { nodes }: HostFacts): readonly PreflightFinding[] {
  if (nodes === undefined) return []
  const missing = [...new Set(memoryNodes)].filter((node) => !nodes.includes(node))
  if (missing.length === 0) return []
  return [
    finding(
      'numa-node-missing',
      'numatune',
      `this host has no NUMA node ${missing.join(', ')} (it has ${nodes.join(', ')})`,
      'Correct <numatune> with virsh edit, or leave it out.',
    ),
  ]
}

function judgeLockedMemory(demand: DomainDemand, { memlockKib }: HostFacts): readonly PreflightFinding[] {
  const locks = demand.hostdevs.some(({ pci }) => pci !== undefined)
  const needed = demand.memoryKib + GIB
  if (!locks || memlockKib === undefined || memlockKib >= needed) return []
  return [
    finding(
      'memlock-short',
      'memory',
      `a guest with passed-through devices locks ${Math.ceil(needed / MIB)} MiB, and the limit is ${Math.floor(memlockKib / MIB)} MiB`,
      'Set memlock to unlimited in /etc/security/limits.d and LimitMEMLOCK=infinity for libvirt’s daemon.',
    ),
  ]
}

function judgeVcpus({ vcpus, machine }: DomainDemand, { capabilities }: HypervisorFacts): readonly PreflightFinding[] {
  const maximum = capabilities?.maxVcpus
  if (maximum === undefined || vcpus <= maximum) return []
  return [
    finding(
      'vcpus-maximum',
      'vcpu',
      `${vcpus} virtual processors, and the machine type ${machine ?? 'of this QEMU'} has ${maximum} at most`,
      `Give it ${maximum} or fewer.`,
    ),
  ]
}

function judgePins({ pins }: DomainDemand, { presentCpus, onlineCpus }: HostFacts): readonly PreflightFinding[] {
  if (presentCpus === undefined || onlineCpus === undefined) return []
  const [present, online] = [new Set(presentCpus), new Set(onlineCpus)]
  const fix = 'Compare <cputune> with lscpu --all --extended and correct it with virsh edit.'
  return pins.flatMap(({ path, cpus }) => {
    const outside = cpus.filter((cpu) => !present.has(cpu))
    if (outside.length > 0)
      return [
        finding(
          'pin-outside',
          path,
          `this host has no processor ${outside.slice(0, 8).join(', ')} (it has ${present.size})`,
          fix,
        ),
      ]
    if (cpus.length === 0 || cpus.some((cpu) => online.has(cpu))) return []
    return [
      finding(
        'pin-offline',
        path,
        `processor ${cpus.slice(0, 8).join(', ')} is offline`,
        `Bring it up (echo 1 into /sys/devices/system/cpu/cpu${cpus[0]}/online), or pin elsewhere.`,
      ),
    ]
  })
}

function judgeCpu(demand: DomainDemand, { capabilities }: HypervisorFacts): readonly PreflightFinding[] {
  if (capabilities === undefined) return []
  const { cpuMode, cpuModel } = demand
  const { cpuModes, usableModels, knownModels } = capabilities
  if (cpuMode !== undefined && cpuModes.length > 0 && !cpuModes.includes(cpuMode)) {
    return [
      finding(
        'cpu-mode',
        'cpu',
        `a domain of type ${demand.virtType} cannot have the processor mode ${cpuMode} here`,
        `Use ${cpuModes.join(', ')}.`,
      ),
    ]
  }
  if (cpuMode !== 'custom' || cpuModel === undefined || knownModels.length === 0) return []
  const isUnusable = !knownModels.includes(cpuModel) || (demand.forbidsCpuFallback && !usableModels.includes(cpuModel))
  if (!isUnusable) return []
  return [
    finding(
      'cpu-model',
      'cpu',
      `this host cannot give the processor model ${cpuModel}`,
      `Use host-model, or one of ${usableModels.slice(-4).join(', ')} (virsh domcapabilities).`,
    ),
  ]
}
