import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isVmpkgError } from '../../src/errors.ts'
import type { TakenCpus } from '../../src/host/free-cores.ts'
import { type PlacementRequest, planPlacement } from '../../src/host/plan-placement.ts'
import { readTopology } from '../../src/host/read-topology.ts'
import type { HostTopology } from '../../src/host/topology.ts'
import type { Placement } from '../../src/model/placement.ts'
import { unpackHostTrees } from '../support/host-trees.ts'
import { madeHost } from '../support/made-host.ts'
import { findBrokenRules, findLeastCost, placementCost } from '../support/placement-rules.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const GIB = 1024 ** 2

function planOrRefusal(
  topology: HostTopology,
  request: PlacementRequest,
  taken: readonly TakenCpus[],
): Placement | undefined {
  try {
    return planPlacement(topology, request, taken)
  } catch (error) {
    if (isVmpkgError(error, 'PLACEMENT_IMPOSSIBLE')) return undefined
    throw error
  }
}

describe('planPlacement on the captured hosts', { timeout: 300_000 }, () => {
  test('keeps every rule, and is at most 2 % from the exhaustive optimum where 16 CPUs are online', async (t) => {
    let plans = 0
    let searched = 0
    for (const { name, sysfs, procfs } of await unpackHostTrees(await makeTempFolder(t))) {
      const facts = readTopology({ sysfs, procfs })
      const ids = facts.cpus.map(({ id }) => id)
      const sizes =
        ids.length <= 16 ? ids.map((_, i) => i + 1) : [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 200]
      const half = ids.slice(Math.floor(ids.length / 2))
      const situations: { topology: HostTopology; taken: TakenCpus[]; nearNodes: number[] }[] = [
        { topology: facts, taken: [], nearNodes: [] },
        { topology: facts, taken: [], nearNodes: facts.nodes.slice(-1).map(({ id }) => id) },
        { topology: { ...facts, isolated: half }, taken: [], nearNodes: [] },
        { topology: { ...facts, allowed: half }, taken: [], nearNodes: [] },
        { topology: facts, taken: [{ machine: 'other', cpus: ids.slice(2, 4), isActive: true }], nearNodes: [] },
      ]
      for (const { topology, taken, nearNodes } of situations) {
        for (const vcpus of sizes) {
          const request = { vcpus, memoryKib: GIB, iothreads: 1, nearNodes }
          const placement = planOrRefusal(topology, request, taken)
          const least = ids.length <= 16 ? findLeastCost(topology, request, taken) : undefined
          if (placement === undefined) {
            assert.equal(least, undefined, `${name}: ${vcpus} vCPUs refused though there is a way`)
            continue
          }
          plans++
          assert.deepEqual(findBrokenRules(topology, request, taken, placement), [], `${name}: ${vcpus} vCPUs`)
          if (ids.length > 16) continue
          searched++
          const cost = placementCost(topology, request, taken, placement)
          assert.ok(least !== undefined && cost <= least * 1.02, `${name}: ${vcpus} vCPUs cost ${cost}, not ${least}`)
        }
      }
    }
    assert.ok(plans > 1000 && searched > 300, `${plans} plans, ${searched} searched`)
    t.diagnostic(`${plans} plans, ${searched} searched`)
  })
})

describe('planPlacement on made-up hosts', () => {
  test('keeps every rule and stays within 2 % of the optimum, whatever is isolated, closed, taken or short of memory', () => {
    const cpuSet = fc.uniqueArray(fc.integer({ min: 0, max: 15 }), { maxLength: 8 })
    fc.assert(
      fc.property(
        fc.record({
          nodes: fc.constantFrom(1, 2, 4),
          coresPerNode: fc.constantFrom(1, 2, 4),
          threads: fc.constantFrom(1, 2),
          siblings: fc.constantFrom('apart' as const, 'beside' as const),
        }),
        fc.record({
          vcpus: fc.integer({ min: 1, max: 14 }),
          memoryKib: fc.constantFrom(GIB, 3 * GIB, 6 * GIB + 4),
          iothreads: fc.integer({ min: 0, max: 2 }),
          nearNodes: fc.constantFrom([], [0], [1]),
        }),
        fc.record({ isolated: cpuSet, closed: cpuSet, taken: cpuSet, slow: cpuSet, memory: fc.array(fc.nat(8)) }),
        (shape, request, { isolated, closed, taken: others, slow, memory }) => {
          const base = madeHost(shape)
          const slowCores = new Set(base.cpus.flatMap(({ id, siblings }) => (slow.includes(id) ? siblings : [])))
          const cpus = base.cpus.map((cpu) => ({ ...cpu, kind: slowCores.has(cpu.id) ? 1 : 0 }))
          const [fast, rest] = [0, 1].map((kind) => cpus.filter((cpu) => cpu.kind === kind).map(({ id }) => id))
          const topology: HostTopology = {
            ...base,
            cpus,
            isolated: isolated.filter((cpu) => cpu < cpus.length),
            allowed: base.allowed.filter((cpu) => !closed.includes(cpu)),
            kinds: [
              { name: 'performance', cpus: fast ?? [] },
              { name: 'efficiency', cpus: rest ?? [] },
            ],
            nodes: base.nodes.map((node) => ({ ...node, memoryKib: (memory[node.id] ?? 8) * GIB })),
          }
          const taken = others.length === 0 ? [] : [{ machine: 'other', cpus: others, isActive: true }]
          const placement = planOrRefusal(topology, request, taken)
          const least = findLeastCost(topology, request, taken)
          if (placement === undefined) {
            assert.equal(least, undefined)
            return
          }
          assert.deepEqual(findBrokenRules(topology, request, taken, placement), [])
          assert.ok(least !== undefined)
          const cost = placementCost(topology, request, taken, placement)
          assert.ok(cost <= least * 1.02, `${cost} instead of ${least}`)
        },
      ),
      { numRuns: 500 },
    )
  })
})

const cpusOf = (placement: Placement): number[] => placement.vcpuPins.flatMap(({ cpus }) => cpus)

describe('planPlacement', () => {
  test('18 vCPUs on ten cores of two threads: the sibling pairs 1/11 to 9/19 as one socket of nine cores', () => {
    const host = madeHost({ nodes: 1, coresPerNode: 10, threads: 2 })
    const placement = planPlacement(host, { vcpus: 18, memoryKib: 16 * GIB })
    assert.deepEqual(cpusOf(placement), [1, 11, 2, 12, 3, 13, 4, 14, 5, 15, 6, 16, 7, 17, 8, 18, 9, 19])
    assert.deepEqual(placement.topology, { sockets: 1, dies: 1, cores: 9, threads: 2 })
    assert.deepEqual(placement.emulatorCpus, [0, 10])
  })

  test('a guest larger than a node gets a cell and a socket for each node, alike, the memory divided', () => {
    const host = madeHost({ nodes: 2, coresPerNode: 8, threads: 2 })
    const placement = planPlacement(host, { vcpus: 24, memoryKib: 32 * GIB, iothreads: 2 })
    assert.deepEqual(
      placement.cells.map(({ vcpus, memoryKib, hostNode }) => [vcpus.length, memoryKib, hostNode]),
      [
        [12, 16 * GIB, 0],
        [12, 16 * GIB, 1],
      ],
    )
    assert.deepEqual(placement.topology, { sockets: 2, dies: 1, cores: 6, threads: 2 })
    assert.deepEqual(placement.memoryNodes, [0, 1])
    assert.match(placement.reasons.join(' '), /No single NUMA node holds it/)
  })

  test('a guest whose memory is larger than a node is divided though its vCPUs would fit on one', () => {
    const host = madeHost({ nodes: 2, coresPerNode: 8, threads: 1, memoryKibPerNode: 8 * GIB })
    const placement = planPlacement(host, { vcpus: 4, memoryKib: 12 * GIB })
    assert.deepEqual(
      placement.cells.map(({ memoryKib }) => memoryKib),
      [6 * GIB, 6 * GIB],
    )
  })

  test('lies on the node of its devices, and says so where that has no room', () => {
    const host = madeHost({ nodes: 2, coresPerNode: 4, threads: 1 })
    const near = planPlacement(host, { vcpus: 2, memoryKib: GIB, nearNodes: [1] })
    assert.deepEqual(near.memoryNodes, [1])
    const taken = [{ machine: 'other', cpus: [4, 5, 6], isActive: true }]
    const far = planPlacement(host, { vcpus: 2, memoryKib: GIB, nearNodes: [1] }, taken)
    assert.deepEqual(far.memoryNodes, [0])
    assert.match(far.reasons.join(' '), /devices are on node 1, which has no room; the distance to it is 21/)
    assert.match(far.reasons.join(' '), /CPUs of other are left alone/)
  })

  test('stays within one last cache, in the one that it fills best', () => {
    const host = madeHost({ nodes: 1, coresPerNode: 12, threads: 1, coresPerCache: 4 })
    const four = planPlacement(host, { vcpus: 4, memoryKib: GIB })
    assert.deepEqual(cpusOf(four), [4, 5, 6, 7])
    // The three that are left of the first cache, so that the others stay whole.
    assert.deepEqual(cpusOf(planPlacement(host, { vcpus: 3, memoryKib: GIB })), [1, 2, 3])
    const eight = planPlacement(host, { vcpus: 8, memoryKib: GIB, canHaveDies: true })
    assert.deepEqual(eight.topology, { sockets: 1, dies: 2, cores: 4, threads: 1 })
  })

  test('takes isolated CPUs first, and keeps emulator and I/O threads off them', () => {
    const host = { ...madeHost({ nodes: 1, coresPerNode: 8, threads: 1 }), isolated: [4, 5, 6, 7] }
    const placement = planPlacement(host, { vcpus: 3, memoryKib: GIB, iothreads: 1 })
    assert.deepEqual(cpusOf(placement), [4, 5, 6])
    assert.deepEqual(placement.iothreadPins, [{ iothread: 1, cpus: [0] }])
    assert.match(placement.reasons.join(' '), /isolated from the host/)
    const larger = planPlacement(host, { vcpus: 6, memoryKib: GIB })
    assert.deepEqual(cpusOf(larger).filter((cpu) => cpu >= 4).length, 4)
  })

  test('takes performance cores first, and mixes kinds only where no kind has room', () => {
    const base = madeHost({ nodes: 1, coresPerNode: 8, threads: 1 })
    const hybrid: HostTopology = {
      ...base,
      cpus: base.cpus.map((cpu) => ({ ...cpu, kind: cpu.id < 4 ? 0 : 1 })),
      kinds: [
        { name: 'performance', cpus: [0, 1, 2, 3] },
        { name: 'efficiency', cpus: [4, 5, 6, 7] },
      ],
    }
    assert.deepEqual(cpusOf(planPlacement(hybrid, { vcpus: 3, memoryKib: GIB })), [1, 2, 3])
    const efficient = planPlacement(hybrid, { vcpus: 4, memoryKib: GIB })
    assert.deepEqual(cpusOf(efficient), [4, 5, 6, 7])
    assert.match(efficient.reasons.join(' '), /All are efficiency cores/)
    const mixed = planPlacement(hybrid, { vcpus: 6, memoryKib: GIB })
    assert.match(mixed.reasons.join(' '), /performance and efficiency cores are mixed/)
  })

  test('machines that are shut off give way where there is no other room, running ones never', () => {
    const host = madeHost({ nodes: 1, coresPerNode: 4, threads: 1 })
    const off = [{ machine: 'windows', cpus: [1, 2, 3], isActive: false }]
    const placement = planPlacement(host, { vcpus: 2, memoryKib: GIB }, off)
    assert.match(placement.reasons.join(' '), /no room beside windows, which does not run/)
    const on = [{ machine: 'windows', cpus: [1, 2, 3], isActive: true }]
    assert.throws(() => planPlacement(host, { vcpus: 2, memoryKib: GIB }, on), {
      code: 'PLACEMENT_IMPOSSIBLE',
      message: /windows has 1-3/,
    })
  })

  test('a refusal names what is there and the nearest that fits', () => {
    const smt = madeHost({ nodes: 1, coresPerNode: 6, threads: 2 })
    assert.throws(() => planPlacement(smt, { vcpus: 7, memoryKib: GIB }), {
      message: /7 vCPUs: 5 whole cores with 10 threads are free beside CPU 0,6/,
      hint: /^6 or 8 vCPUs would fit/,
    })
    const small = madeHost({ nodes: 2, coresPerNode: 4, threads: 1, memoryKibPerNode: 4 * GIB })
    assert.throws(() => planPlacement(small, { vcpus: 2, memoryKib: 9 * GIB }), {
      message: /9216 MiB of memory/,
      hint: /^8192 MiB would fit/,
    })
    const alone = madeHost({ nodes: 1, coresPerNode: 1, threads: 2 })
    assert.throws(() => planPlacement(alone, { vcpus: 1, memoryKib: GIB }), { code: 'PLACEMENT_IMPOSSIBLE' })
    const limited = { ...smt, quotaCpus: 2.5 }
    assert.throws(() => planPlacement(limited, { vcpus: 4, memoryKib: GIB }), { hint: /^Take 2 vCPUs/ })
  })

  test('memory comes from the nearest node that has some', () => {
    const base = madeHost({ nodes: 2, coresPerNode: 4, threads: 1 })
    const host = { ...base, nodes: base.nodes.map((node) => ({ ...node, memoryKib: node.id === 0 ? 0 : 8 * GIB })) }
    const placement = planPlacement({ ...host, allowed: [0, 1, 2, 3] }, { vcpus: 2, memoryKib: GIB })
    assert.deepEqual(placement.memoryNodes, [1])
    assert.match(placement.reasons.join(' '), /Node 0 has no memory; it comes from node 1/)
  })
})
