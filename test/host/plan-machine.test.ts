import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { planMachine } from '../../src/host/plan-machine.ts'
import type { MemoryFacts } from '../../src/host/read-hugepages.ts'
import type { HostTopology } from '../../src/host/topology.ts'
import { madeHost, withPages } from '../support/made-host.ts'

const GIB = 1024 ** 2
const base = madeHost({ nodes: 2, coresPerNode: 4, threads: 1, memoryKibPerNode: 32 * GIB })

/** Host-wide sums over the nodes' pools. */
function memoryOf(topology: HostTopology, reserved = 0): MemoryFacts {
  const pools = topology.nodes.flatMap(({ hugepages }) => hugepages)
  const sizes = [...Map.groupBy(pools, ({ sizeKib }) => sizeKib)]
  return {
    defaultHugepageKib: 2048,
    hugepages: sizes.map(([sizeKib, own]) => {
      const free = own.reduce((sum, pool) => sum + (pool.free ?? 0), 0)
      return { sizeKib, total: free, free, surplus: 0, reserved, overcommit: 0 }
    }),
  }
}

const wishes = { vcpus: 2, memoryKib: 4 * GIB, pin: 'yes', hugepages: 'yes' } as const

describe('planMachine', () => {
  test('takes 1 GiB pages where they divide the memory and are there, on the node that has them', () => {
    const host = withPages(withPages(base, 2048, [4096, 4096]), GIB, [0, 4])
    const { placement, pages } = planMachine(host, memoryOf(host), wishes)
    assert.deepEqual(pages, [{ node: 1, sizeKib: GIB, count: 4, available: 4, missing: 0 }])
    assert.deepEqual(placement.cells, [{ id: 0, vcpus: [0, 1], memoryKib: 4 * GIB, hostNode: 1, pageKib: GIB }])
    const odd = planMachine(host, memoryOf(host), { ...wishes, memoryKib: 4 * GIB + 2048 })
    assert.equal(odd.pages[0]?.sizeKib, 2048)
  })

  test('says how many are missing on which node, of the default size', () => {
    const host = withPages(withPages(base, 2048, [100, 50]), GIB, [0, 0])
    const { placement, pages } = planMachine(host, memoryOf(host), wishes)
    assert.deepEqual(pages, [{ node: 0, sizeKib: 2048, count: 2048, available: 100, missing: 1948 }])
    assert.match(placement.reasons.at(-1) ?? '', /^Missing are 1948 of 2048 huge pages of 2 MiB on node 0/)
  })

  test('auto takes what is there, and ordinary pages where it is not enough', () => {
    const host = withPages(base, 2048, [2048, 0])
    assert.equal(planMachine(host, memoryOf(host), { ...wishes, hugepages: 'auto' }).pages[0]?.count, 2048)
    const larger = planMachine(host, memoryOf(host), { ...wishes, hugepages: 'auto', memoryKib: 6 * GIB })
    assert.deepEqual(larger.pages, [])
    assert.equal(larger.placement.cells[0]?.pageKib, undefined)
    assert.match(larger.placement.reasons.at(-1) ?? '', /Too few huge pages are free/)
  })

  test('reserved pages count as taken', () => {
    const host = withPages(base, 2048, [2048, 0])
    const { pages } = planMachine(host, memoryOf(host, 10), wishes)
    assert.equal(pages[0]?.missing, 10)
  })

  test('a guest over two nodes takes pages from both, whole ones', () => {
    const host = withPages(base, GIB, [3, 3])
    const { pages, placement } = planMachine(host, memoryOf(host), { ...wishes, vcpus: 4, memoryKib: 5 * GIB })
    assert.deepEqual(
      pages.map(({ node, count, missing }) => [node, count, missing]),
      [
        [0, 2, 0],
        [1, 3, 0],
      ],
    )
    assert.equal(placement.cells.length, 2)
  })

  test('refuses a size that the host does not have, and memory that is not whole pages', () => {
    const host = withPages(base, 2048, [9, 9])
    assert.throws(() => planMachine(host, memoryOf(host), { ...wishes, pageKib: GIB }), {
      code: 'HUGEPAGES_MISSING',
      hint: /It has 2 MiB/,
    })
    assert.throws(() => planMachine(host, memoryOf(host), { ...wishes, memoryKib: 3000 }), {
      code: 'HUGEPAGES_MISSING',
      hint: /Take 2 MiB or 4 MiB/,
    })
  })

  test('an unpinned machine takes pages from the whole host', () => {
    const host = withPages(base, 2048, [1024, 1024])
    const { placement, pages } = planMachine(host, memoryOf(host), { ...wishes, pin: 'no' })
    assert.deepEqual(pages, [{ sizeKib: 2048, count: 2048, available: 2048, missing: 0 }])
    assert.deepEqual(placement.vcpuPins, [])
  })

  test('auto leaves a machine unpinned that has no room, and says why', () => {
    const { placement } = planMachine(base, { hugepages: [] }, { ...wishes, pin: 'auto', hugepages: 'no', vcpus: 9 })
    assert.deepEqual(placement.vcpuPins, [])
    assert.match(placement.reasons[0] ?? '', /^It is not pinned: No room to pin 9 vCPUs/)
  })
})
