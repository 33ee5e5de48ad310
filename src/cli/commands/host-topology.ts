import { type HostCore, type HostTopology, listCores } from '../../host/topology.ts'
import { formatCpuSet } from '../../model/cpu-set.ts'
import { type HostFacts, readHostFacts } from '../../operations/host-facts.ts'
import type { CommandSpec, Io } from '../command.ts'
import { formatBytes } from '../table.ts'

export const command: CommandSpec = {
  args: '',
  summary: 'Show the cores of the host, what they share, and which machines have them.',
  description:
    'Cores are listed with the CPU numbers of their threads. Machines are listed where\n' +
    'libvirt keeps them on some CPUs only; mistakes in their pins follow.',
  options: [],
  examples: ['vmpkg host topology', 'vmpkg host topology --json', 'vmpkg host topology -c qemu+ssh://root@box/system'],
  async run({ io }) {
    const facts = await readHostFacts(await io.workspace())
    if (io.json) io.printJson('host-topology', toJson(facts))
    else print(io, facts)
    return 0
  },
}

function print(io: Io, { topology, machines }: HostFacts): void {
  io.printTable(
    ['CORE', 'CPUS', 'PACKAGE', 'NODE', 'L3', 'STATE'],
    listCores(topology).map((core, i) => [
      String(i),
      formatCpuSet(core.cpus),
      String(core.packageId),
      core.node === undefined ? '-' : String(core.node),
      cacheOf(topology, core),
      stateOf(topology, core, machines),
    ]),
  )
  for (const line of describeHost(topology)) io.note(line)
  for (const { machine, findings } of machines) {
    for (const { severity, message } of findings) {
      io.note(`${machine}: ${message}`, severity === 'error' ? 'bad' : 'careful')
    }
  }
}

/** The CPUs that share its third-level cache. */
function cacheOf(topology: HostTopology, { cpus }: HostCore): string {
  const cache = topology.caches.find(({ level, cpus: shared }) => level === 3 && shared.includes(cpus[0] ?? -1))
  return cache === undefined ? '-' : formatCpuSet(cache.cpus)
}

function stateOf(topology: HostTopology, { cpus, kind }: HostCore, machines: HostFacts['machines']): string {
  const owners = machines.filter((machine) => machine.cpus.some((cpu) => cpus.includes(cpu)))
  return [
    ...(topology.kinds.length > 1 ? [topology.kinds[kind]?.name ?? ''] : []),
    ...(cpus.some((cpu) => topology.isolated.includes(cpu)) ? ['isolated'] : []),
    ...(cpus.some((cpu) => !topology.allowed.includes(cpu)) ? ['closed'] : []),
    ...owners.map(({ machine, isActive }) => (isActive ? machine : `${machine} (off)`)),
  ].join(', ')
}

function describeHost({ nodes, offline, quotaCpus, nohzFull }: HostTopology): string[] {
  const memory = nodes.map(({ id, memoryKib, freeKib }) => {
    const free = freeKib === undefined ? '' : `, ${formatBytes(freeKib * 1024)} free`
    return `Node ${id}: ${formatBytes(memoryKib * 1024)}${free}`
  })
  return [
    ...memory,
    ...(offline.length > 0 ? [`Offline: CPU ${formatCpuSet(offline)}`] : []),
    ...(nohzFull.length > 0 ? [`Without a timer tick (nohz_full): CPU ${formatCpuSet(nohzFull)}`] : []),
    ...(quotaCpus === undefined ? [] : [`The cgroup grants ${quotaCpus} CPUs' worth of time`]),
  ]
}

function toJson({ topology, memory, machines }: HostFacts): Record<string, unknown> {
  const { nodes, ...rest } = topology
  const plain = nodes.map(({ distances, ...node }) => ({ ...node, distances: Object.fromEntries(distances) }))
  return { ...rest, nodes: plain, cores: listCores(topology), memory, machines }
}
