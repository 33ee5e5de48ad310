/**
 * Reads a host's processors, caches and NUMA nodes from sysfs and procfs.
 *
 * Sources: Linux Documentation/ABI/stable/sysfs-devices-system-cpu, ABI/testing/sysfs-devices-system-cpu (cache),
 * ABI/stable/sysfs-devices-node. Where a file is missing or says -1 the value is 0, as libvirt has it
 * (virHostCPUGetSocket and its neighbours). Oracles of the tests: lscpu, hwloc's and libvirt's expected outputs.
 */
import { findCoreKinds } from './core-kinds.ts'
import type { CpuLimits } from './cpu-limits.ts'
import { type HostRoots, listNumbered, readCpuList, readCpuMaskOrList, readInteger, readText } from './kernel-files.ts'
import { readHugepagePools } from './read-hugepages.ts'
import type { HostCache, HostCpu, HostNode, HostTopology } from './topology.ts'

export function readTopology(roots: HostRoots, limits: CpuLimits = {}): HostTopology {
  const folder = `${roots.sysfs}/devices/system/cpu`
  const numbers = listNumbered(folder, 'cpu')
  const online = findOnline(folder, numbers)
  const nodes = readNodes(roots, online)
  const nodeOf = new Map(nodes.flatMap(({ id, cpus }) => cpus.map((cpu) => [cpu, id] as const)))
  const cpus = numberPackages(
    online.map((id) => readCpu(`${folder}/cpu${id}`, id, online, nodeOf.get(id))),
    (id) => readPackageCpus(`${folder}/cpu${id}/topology`),
  )
  const pmus = ['cpu_core', 'cpu_atom', 'cpu_lowpower'].map(
    (name) => readCpuList(`${roots.sysfs}/devices/${name}/cpus`) ?? [],
  )
  const kinds = findCoreKinds(cpus, pmus)
  const present = readCpuList(`${folder}/present`) ?? numbers
  const isOnline = new Set(online)
  const cpulists = { isolated: readIsolated(roots, folder), nohzFull: readCpuList(`${folder}/nohz_full`) ?? [] }
  return {
    cpus: cpus.map((cpu) => ({ ...cpu, kind: kinds.findIndex(({ cpus: ids }) => ids.includes(cpu.id)) })),
    offline: [...new Set([...present, ...numbers])].filter((id) => !isOnline.has(id)).toSorted((a, b) => a - b),
    isolated: cpulists.isolated.filter((id) => isOnline.has(id)),
    nohzFull: cpulists.nohzFull.filter((id) => isOnline.has(id)),
    allowed: limits.allowed === undefined ? online : online.filter((id) => limits.allowed?.includes(id)),
    ...(limits.quotaCpus === undefined ? {} : { quotaCpus: limits.quotaCpus }),
    caches: readCaches(folder, cpus),
    kinds,
    nodes,
    memoryKib: readMeminfo(readText(`${roots.procfs}/meminfo`) ?? '', 'MemTotal') ?? 0,
  }
}

/** Those of the kernel's list that have a folder; before 2.6.24 there was none, and what cannot be taken offline has no file that says so. */
function findOnline(folder: string, numbers: readonly number[]): number[] {
  const known = new Set(numbers)
  const list = readCpuList(`${folder}/online`)?.filter((id) => known.has(id))
  if (list !== undefined && list.length > 0) return list
  return numbers.filter((id) => readInteger(`${folder}/cpu${id}/online`) !== 0)
}

/** Without package numbers (s390, old kernels) the sets of CPUs that share a package are counted. */
function numberPackages(cpus: readonly HostCpu[], packageCpus: (id: number) => readonly number[]): HostCpu[] {
  if (cpus.some(({ packageId }) => packageId >= 0)) {
    return cpus.map((cpu) => ({ ...cpu, packageId: Math.max(0, cpu.packageId) }))
  }
  const seen: number[] = []
  return cpus.map((cpu) => {
    const first = packageCpus(cpu.id)[0] ?? 0
    if (!seen.includes(first)) seen.push(first)
    return { ...cpu, packageId: seen.indexOf(first) }
  })
}

function readPackageCpus(topology: string): readonly number[] {
  return readCpuMaskOrList(topology, 'package_cpus', 'core_siblings') ?? []
}

function readCpu(folder: string, id: number, online: readonly number[], node: number | undefined): HostCpu {
  const topology = `${folder}/topology`
  const number = (name: string): number => Math.max(0, readInteger(`${topology}/${name}`) ?? 0)
  const siblings = readCpuMaskOrList(topology, 'core_cpus', 'thread_siblings') ?? []
  const threads = siblings.filter((cpu) => online.includes(cpu))
  const maximumKhz = readInteger(`${folder}/cpufreq/cpuinfo_max_freq`)
  const capacity = readInteger(`${folder}/cpu_capacity`)
  return {
    id,
    packageId: readInteger(`${topology}/physical_package_id`) ?? -1,
    dieId: number('die_id'),
    clusterId: number('cluster_id'),
    coreId: number('core_id'),
    siblings: threads.includes(id) ? threads : [id],
    ...(node === undefined ? {} : { node }),
    kind: 0,
    ...(maximumKhz === undefined ? {} : { maximumKhz }),
    ...(capacity === undefined ? {} : { capacity }),
  }
}

function readIsolated({ sysfs, procfs }: HostRoots, folder: string): number[] {
  const partitions = readCpuList(`${sysfs}/fs/cgroup/cpuset.cpus.isolated`) ?? []
  const booted = readCpuList(`${folder}/isolated`) ?? parseIsolcpus(readText(`${procfs}/cmdline`) ?? '')
  return [...new Set([...booted, ...partitions])].toSorted((a, b) => a - b)
}

/** `isolcpus=[flags,]list`: for kernels before 4.2, which have no file `isolated`. */
function parseIsolcpus(cmdline: string): number[] {
  const words = /(?:^|\s)isolcpus=(\S+)/.exec(cmdline)?.[1]?.split(',') ?? []
  return words.flatMap((word) => {
    const [, low, high] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(word) ?? []
    if (low === undefined) return []
    const first = Number(low)
    return Array.from({ length: Math.max(0, Number(high ?? low) - first + 1) }, (_, i) => first + i)
  })
}

const CACHE_TYPES = { Data: 'data', Instruction: 'instruction', Unified: 'unified' } as const

function readCaches(folder: string, all: readonly HostCpu[]): HostCache[] {
  const isOnline = new Set(all.map(({ id }) => id))
  const caches: HostCache[] = []
  const seen = new Set<string>()
  for (const { id, siblings } of all) {
    for (const index of listNumbered(`${folder}/cpu${id}/cache`, 'index')) {
      const cache = `${folder}/cpu${id}/cache/index${index}`
      const type = CACHE_TYPES[(readText(`${cache}/type`) ?? '') as keyof typeof CACHE_TYPES]
      const level = readInteger(`${cache}/level`)
      if (type === undefined || level === undefined || seen.has(`${level} ${type} ${id}`)) continue
      const shared = readCpuMaskOrList(cache, 'shared_cpu_map') ?? []
      // Some firmware leaves it empty; a cache is a core's at least.
      const cpus = shared.includes(id) ? shared.filter((cpu) => isOnline.has(cpu)) : siblings
      for (const cpu of cpus) seen.add(`${level} ${type} ${cpu}`)
      const sizeKib = parseCacheSize(readText(`${cache}/size`) ?? '')
      caches.push({ level, type, ...(sizeKib === undefined ? {} : { sizeKib }), cpus })
    }
  }
  return caches
}

function parseCacheSize(text: string): number | undefined {
  const [, count, unit] = /^(\d{1,9})([KM]?)$/.exec(text) ?? []
  return count === undefined ? undefined : Number(count) * (unit === 'M' ? 1024 : 1)
}

function readNodes({ sysfs }: HostRoots, online: readonly number[]): HostNode[] {
  const folder = `${sysfs}/devices/system/node`
  const numbers = listNumbered(folder, 'node')
  // A row of distances has one number for each node that is online, in order.
  const columns = readCpuList(`${folder}/online`) ?? numbers
  // Broken firmware puts a CPU into several nodes; the first has it.
  const taken = new Set<number>()
  return numbers.map((id) => {
    const own = `${folder}/node${id}`
    const cpus = readCpuMaskOrList(own, 'cpumap') ?? listNumbered(own, 'cpu')
    const ownCpus = cpus.filter((cpu) => online.includes(cpu) && !taken.has(cpu))
    for (const cpu of ownCpus) taken.add(cpu)
    const meminfo = readText(`${own}/meminfo`) ?? ''
    const freeKib = readMeminfo(meminfo, 'MemFree')
    const row = (readText(`${own}/distance`) ?? '').split(/\s+/).map(Number)
    return {
      id,
      cpus: ownCpus,
      memoryKib: readMeminfo(meminfo, 'MemTotal') ?? 0,
      ...(freeKib === undefined ? {} : { freeKib }),
      distances: new Map(row.length === columns.length ? columns.map((to, i) => [to, row[i] ?? 20] as const) : []),
      hugepages: readHugepagePools(`${own}/hugepages`),
    }
  })
}

/** A line of meminfo, of the host's or of a node's. */
function readMeminfo(text: string, name: string): number | undefined {
  const value = new RegExp(`^(?:Node \\d+ )?${name}:\\s+(\\d{1,15}) kB`, 'm').exec(text)?.[1]
  return value === undefined ? undefined : Number(value)
}
