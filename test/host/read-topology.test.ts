import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { readTopology } from '../../src/host/read-topology.ts'
import { type HostTopology, listCores } from '../../src/host/topology.ts'
import { unpackHostTrees, unpackHwlocTrees } from '../support/host-trees.ts'
import { realProcesses } from '../support/real-processes.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

/** Sets of CPUs as sorted text, so that two partitions compare whatever names their parts have. */
const partition = (groups: Iterable<readonly number[]>): string[] =>
  [...groups].map((cpus) => cpus.toSorted((a, b) => a - b).join()).toSorted()

const packagesOf = (topology: HostTopology): string[] =>
  partition([...Map.groupBy(topology.cpus, (cpu) => cpu.packageId).values()].map((cpus) => cpus.map(({ id }) => id)))

/**
 * In this tree one CPU's `core_siblings` lacks what its `physical_package_id` says: lscpu goes by the one, we and hwloc
 * by the other.
 */
const LSCPU_GOES_BY_SIBLINGS = 'hwloc/40intel64-4n10c+pci-conflicts: sockets'

describe('readTopology', { timeout: 300_000 }, () => {
  test('agrees with lscpu about the captured hosts', async (t) => {
    const trees = await unpackHostTrees(await makeTempFolder(t))
    const wrong: string[] = []
    let compared = 0
    for (const { name, folder, sysfs, procfs } of trees) {
      const rows = await runLscpu(folder)
      // lscpu says nothing about some: rv64 without sockets, libvirt's trees without /proc/cpuinfo.
      if (rows.length === 0) continue
      compared++
      const topology = readTopology({ sysfs, procfs })
      const compare = (what: string, ours: readonly string[], column: number): void => {
        const groups = Map.groupBy(
          rows.filter((row) => row[column] !== ''),
          (row) => row[column],
        )
        const theirs = partition([...groups.values()].map((members) => members.map((row) => Number(row[0]))))
        if (theirs.length > 0 && !isDeepStrictEqual(ours, theirs)) wrong.push(`${name}: ${what}`)
      }
      compare('online', partition(topology.cpus.map(({ id }) => [id])), 0)
      compare('cores', partition(listCores(topology).map(({ cpus }) => cpus)), 1)
      compare('sockets', packagesOf(topology), 2)
      compare('nodes', partition(topology.nodes.map(({ cpus }) => cpus).filter((cpus) => cpus.length > 0)), 3)
    }
    assert.deepEqual(wrong, [LSCPU_GOES_BY_SIBLINGS])
    assert.ok(compared >= 41, `only ${compared} hosts compared`)
  })

  test('agrees with hwloc about cores, packages, caches and memory of the captured hosts', async () => {
    const wrong: string[] = []
    const counts: Record<string, number> = {}
    for (const { name, sysfs, procfs, expected } of await unpackHwlocTrees()) {
      // Its L3 caches are memory, told by a file of hwloc's own.
      if (expected === undefined || name.includes('fakeKNL')) continue
      const topology = readTopology({ sysfs, procfs })
      const theirs = parseLstopo(expected)
      const seen = new Set(theirs.pus)
      const ours: Record<string, string[]> = {
        Package: packagesOf(topology),
        Core: partition(listCores(topology).map(({ cpus }) => cpus)),
      }
      for (const [level, type, word] of CACHE_WORDS) {
        const caches = topology.caches.filter((cache) => cache.level === level && cache.type === type)
        ours[word] = partition(caches.map(({ cpus }) => cpus))
      }
      for (const [word, groups] of Object.entries(ours)) {
        const expectedGroups = theirs.groups.get(word)?.filter((cpus) => cpus.length > 0)
        if (expectedGroups === undefined || HWLOC_DIFFERS.has(`${name}: ${word}`)) continue
        counts[word] = (counts[word] ?? 0) + 1
        // hwloc shows only CPUs that a cgroup allows.
        const visible = partition(
          groups
            .map((text) =>
              text
                .split(',')
                .map(Number)
                .filter((cpu) => seen.has(cpu)),
            )
            .filter((cpus) => cpus.length > 0),
        )
        if (!isDeepStrictEqual(visible, partition(expectedGroups))) wrong.push(`${name}: ${word}`)
      }
      for (const [id, memoryKib] of theirs.memory) {
        counts['Memory'] = (counts['Memory'] ?? 0) + 1
        const node = topology.nodes.find((candidate) => candidate.id === id)
        const own = topology.nodes.length === 0 ? topology.memoryKib : node?.memoryKib
        if (own !== memoryKib) wrong.push(`${name}: memory of node ${id} ${own} ${memoryKib}`)
      }
    }
    assert.deepEqual(wrong, [])
    // So many were compared; a tree that is no longer read would show here.
    assert.deepEqual(counts, { Package: 33, Core: 34, L1dCache: 30, L2Cache: 27, L3Cache: 21, Memory: 205 })
  })
})

/** Where hwloc is of another opinion than the kernel, on purpose. */
const HWLOC_DIFFERS = new Set([
  // Package numbers repeat from node to node; libvirt and we go by the number.
  'hwloc/16ia64-8n2s: Package',
  // The devices of this tree conflict, and hwloc drops one package and one cache.
  'hwloc/40intel64-4n10c+pci-conflicts: Package',
  'hwloc/40intel64-4n10c+pci-conflicts: L3Cache',
  // AMD's modules of two cores: the kernel, lscpu and we call them siblings, since they share their front end.
  'hwloc/64amd64-4s2n4ca2co: Core',
])

const CACHE_WORDS = [
  [1, 'data', 'L1dCache'],
  [2, 'unified', 'L2Cache'],
  [3, 'unified', 'L3Cache'],
] as const

async function runLscpu(folder: string): Promise<string[][]> {
  const env = { LANG: 'C', PATH: process.env['PATH'] ?? '' }
  const args = ['--sysroot', folder, '--parse=CPU,CORE,SOCKET,NODE']
  const { stdout } = await realProcesses.run('lscpu', args, { env, timeoutMs: 20_000 })
  return stdout
    .split('\n')
    .filter((line) => /^\d+,/.test(line))
    .map((line) => line.split(','))
}

/** CPUs below each object of lstopo's verbose tree, by the object's kind; memory of the nodes by their number. */
function parseLstopo(text: string): {
  readonly pus: readonly number[]
  readonly groups: Map<string, number[][]>
  readonly memory: Map<number, number>
} {
  const pus: number[] = []
  const groups = new Map<string, number[][]>()
  const memory = new Map<number, number>()
  const open: { indent: number; cpus: number[] }[] = []
  for (const line of text.split('\n')) {
    const [, blanks, word, number] = /^( *)([A-Za-z0-9]+)(?:\(\w+\))? (?:L#\d+ )?\((?:P#(\d+))?/.exec(line) ?? []
    if (blanks === undefined || word === undefined) continue
    while ((open.at(-1)?.indent ?? -1) >= blanks.length) open.pop()
    if (word === 'PU') {
      pus.push(Number(number))
      for (const object of open) object.cpus.push(Number(number))
      continue
    }
    const local = /local=(\d+)KB/.exec(line)?.[1]
    if (word === 'NUMANode' && local !== undefined) memory.set(Number(number), Number(local))
    const object = { indent: blanks.length, cpus: [] }
    open.push(object)
    groups.set(word, [...(groups.get(word) ?? []), object.cpus])
  }
  return { pus, groups, memory }
}
