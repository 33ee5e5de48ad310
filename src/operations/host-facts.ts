/**
 * The processors and memory of the host that the connection's machines run on, and who has which CPUs: from sysfs where
 * that host is this one, else from libvirt's capabilities.
 */
import { join } from 'node:path'
import { VmpkgError } from '../errors.ts'
import { parseCapabilitiesTopology } from '../host/capabilities-topology.ts'
import { readMachineSliceLimits, readOwnLimits } from '../host/cpu-limits.ts'
import type { HugepageDemand } from '../host/demand-memory.ts'
import type { TakenCpus } from '../host/free-cores.ts'
import { type HostRoots, REAL_ROOTS, readInteger } from '../host/kernel-files.ts'
import { libvirtPages } from '../host/libvirt-pages.ts'
import { lintPins, type PinFinding } from '../host/pin-lint.ts'
import { parseDomainDemand } from '../host/preflight-demand.ts'
import { type MemoryFacts, readMemoryFacts } from '../host/read-hugepages.ts'
import { readTopology } from '../host/read-topology.ts'
import type { PagePools } from '../host/reserve-pages.ts'
import { sysfsPages } from '../host/sysfs-pages.ts'
import type { HostTopology } from '../host/topology.ts'
import type { Connect } from '../libvirt/connect.ts'
import { parseCpuSet } from '../model/cpu-set.ts'
import type { VcpuPin } from '../model/placement.ts'
import { findElement, findElements, getAttribute, getText } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import { isLocal } from './connection-name.ts'
import type { Workspace } from './workspace.ts'

export interface HostFacts {
  readonly topology: HostTopology
  readonly memory: MemoryFacts
  readonly machines: readonly PinnedMachine[]
  /** Huge pages of machines that run, by name. */
  readonly heldPages: ReadonlyMap<string, readonly HugepageDemand[]>
}

/** A machine that libvirt keeps on some of the host's CPUs. */
interface PinnedMachine extends TakenCpus {
  readonly vcpus: number
  readonly findings: readonly PinFinding[]
}

/** @throws {VmpkgError} `LIBVIRT_UNREACHABLE` for a host that is not this one */
export async function readHostFacts(workspace: Workspace, roots: HostRoots = REAL_ROOTS): Promise<HostFacts> {
  if (!isLocal(workspace.connectionName)) {
    const connect = await workspace.connect()
    const { topology, memory } = await readRemoteFacts(connect)
    return { topology, memory, ...(await readMachines(connect, topology)) }
  }
  const isSystem = /^[a-z]+(?:\+unix)?:\/\/\/system(?:\?|$)/.test(workspace.connectionName)
  const topology = readTopology(roots, isSystem ? readMachineSliceLimits(roots) : readOwnLimits(roots))
  if (topology.cpus.length === 0) {
    throw new VmpkgError('HOST_UNSUPPORTED', `${roots.sysfs} tells nothing about the CPUs of this host`)
  }
  const connect = await reach(workspace)
  const found = connect === undefined ? NO_MACHINES : await readMachines(connect, topology)
  return { topology, memory: readMemoryFacts(roots), ...found }
}

/** The pools of huge pages of that host. */
export async function openPagePools(workspace: Workspace, roots: HostRoots = REAL_ROOTS): Promise<PagePools> {
  return isLocal(workspace.connectionName) ? sysfsPages(roots) : libvirtPages(await workspace.connect())
}

/**
 * NUMA node of a PCI device; undefined where the host does not say.
 * @param address `0000:03:00.0` or `03:00.0`
 * @throws {VmpkgError} `USAGE` for no address or no such device
 */
export async function findPciNode(
  workspace: Workspace,
  address: string,
  roots = REAL_ROOTS,
): Promise<number | undefined> {
  const [, domain = '0000', rest] = /^([0-9a-f]{4,8})?:?([0-9a-f]{2}:[0-1][0-9a-f]\.[0-7])$/i.exec(address) ?? []
  if (rest === undefined) {
    throw new VmpkgError('USAGE', `Not a PCI address: ${JSON.stringify(address.slice(0, 40))}`, {
      hint: 'Write it as lspci -D does, 0000:03:00.0.',
    })
  }
  const full = `${domain}:${rest}`.toLowerCase()
  const node = isLocal(workspace.connectionName)
    ? readInteger(join(roots.sysfs, 'bus', 'pci', 'devices', full, 'numa_node'))
    : await findRemoteNode(await workspace.connect(), full)
  if (node === undefined) {
    throw new VmpkgError('USAGE', `The host has no PCI device ${full}`, { hint: 'lspci -D lists the addresses.' })
  }
  return node < 0 ? undefined : node
}

/** -1 where the device has no node, as in sysfs. */
async function findRemoteNode(connect: Connect, address: string): Promise<number | undefined> {
  const name = `pci_${address.replaceAll(/[:.]/g, '_')}`
  const device = (await connect.listAllNodeDevices()).find((candidate) => candidate.name === name)
  if (device === undefined) return undefined
  const numa = findElement(parseXml(await device.getXMLDesc()).root, 'capability/numa')
  return numa === undefined ? -1 : Number(getAttribute(numa, 'node') ?? -1)
}

/** The same through libvirt, which tells less: no isolated CPUs, no limits, no reserved pages. */
export async function readRemoteFacts(connect: Connect): Promise<{ topology: HostTopology; memory: MemoryFacts }> {
  const topology = parseCapabilitiesTopology(await connect.getCapabilities())
  const pools = libvirtPages(connect)
  const nodes = await Promise.all(
    topology.nodes.map(async (node) => {
      const hugepages = node.hugepages.map(async (pool) => {
        const { free } = await pools.read({ node: node.id, sizeKib: pool.sizeKib })
        return { ...pool, free }
      })
      return { ...node, hugepages: await Promise.all(hugepages) }
    }),
  )
  const all = nodes.flatMap(({ hugepages }) => hugepages)
  const sizes = [...Map.groupBy(all, ({ sizeKib }) => sizeKib)].map(([sizeKib, own]) => ({
    sizeKib,
    total: own.reduce((sum, { total }) => sum + total, 0),
    free: own.reduce((sum, { free }) => sum + free, 0),
    reserved: 0,
    overcommit: 0,
  }))
  return { topology: { ...topology, nodes }, memory: { hugepages: sizes } }
}

/** A libvirt of this machine; undefined where none answers: its facts can be read all the same. */
async function reach(workspace: Workspace): Promise<Connect | undefined> {
  try {
    return await workspace.connectIfRunning()
  } catch (error) {
    if (error instanceof VmpkgError && error.code === 'LIBVIRT_UNREACHABLE') return undefined
    throw error
  }
}

type MachineFacts = Pick<HostFacts, 'machines' | 'heldPages'>

const NO_MACHINES: MachineFacts = { machines: [], heldPages: new Map() }

async function readMachines(connect: Connect, topology: HostTopology): Promise<MachineFacts> {
  const domains = await connect.listAllDomains()
  const running = new Set((await connect.listAllDomains({ flags: ['active'] })).map(({ uuid }) => uuid))
  const all = await Promise.all(
    domains.map(async (domain) => ({ xml: await domain.getXMLDesc(), isActive: running.has(domain.uuid) })),
  )
  // A machine that may run anywhere takes nothing from anybody.
  const machines = all
    .map(({ xml, isActive }) => readPins(xml, isActive, topology))
    .filter(({ cpus }) => cpus.length > 0 && topology.cpus.some(({ id }) => !cpus.includes(id)))
    .toSorted((a, b) => a.machine.localeCompare(b.machine))
  const demands = all.flatMap(({ xml, isActive }) => (isActive ? (parseDomainDemand(xml) ?? []) : []))
  const holders = demands.filter(({ hugepages }) => hugepages.length > 0)
  return { machines, heldPages: new Map(holders.map(({ name, hugepages }) => [name, hugepages])) }
}

function readPins(xml: string, isActive: boolean, topology: HostTopology): PinnedMachine {
  const { root } = parseXml(xml)
  const name = findElement(root, 'name')
  const vcpu = findElement(root, 'vcpu')
  const vcpus = Number(vcpu === undefined ? 1 : getText(vcpu))
  const pins: VcpuPin[] = findElements(root, 'cputune/vcpupin').map((pin) => ({
    vcpu: Number(getAttribute(pin, 'vcpu')),
    cpus: parseCpuSet(getAttribute(pin, 'cpuset') ?? ''),
  }))
  const floating = vcpu === undefined ? '' : (getAttribute(vcpu, 'cpuset') ?? '')
  const cpus = new Set([...pins.flatMap((pin) => pin.cpus), ...(pins.length < vcpus ? parseCpuSet(floating) : [])])
  return {
    machine: name === undefined ? '' : getText(name),
    cpus: [...cpus].toSorted((a, b) => a - b),
    isActive,
    vcpus,
    findings: lintPins(topology, vcpus, pins),
  }
}
