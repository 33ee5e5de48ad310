import assert from 'node:assert/strict'
import { test } from 'node:test'
import { countHeldAsFree } from '../../src/host/held-pages.ts'
import { planMachine } from '../../src/host/plan-machine.ts'
import { parseDomainDemand } from '../../src/host/preflight-demand.ts'
import { madeHost } from '../support/made-host.ts'

const GIB = 1024 ** 2

test('a machine that runs can stay where it is: the pages that it holds do not stand in its way', () => {
  const host = madeHost({ nodes: 2, coresPerNode: 8, threads: 1, memoryKibPerNode: 32 * GIB })
  // 24 GiB of node 1 are pages, and the machine has them all.
  const pool = { sizeKib: 2048, total: 12_288, free: 0 }
  const topology = {
    ...host,
    nodes: host.nodes.map((node) => ({ ...node, hugepages: node.id === 1 ? [pool] : [{ ...pool, total: 0 }] })),
  }
  const memory = { defaultHugepageKib: 2048, hugepages: [{ ...pool, reserved: 0, overcommit: 0 }] }
  const wishes = { vcpus: 4, memoryKib: 24 * GIB, pin: 'yes', hugepages: 'yes' } as const
  const running = parseDomainDemand(
    `<domain type='kvm'><name>one</name><memory unit='GiB'>24</memory><memoryBacking><hugepages/></memoryBacking>` +
      `<cpu><numa><cell id='0' cpus='0-3' memory='24' unit='GiB'/></numa></cpu>` +
      `<numatune><memory nodeset='1'/><memnode cellid='0' nodeset='1'/></numatune></domain>`,
  )
  const free = countHeldAsFree({ topology, memory }, running?.hugepages ?? [])
  assert.deepEqual(
    planMachine(free.topology, free.memory, wishes).pages.map(({ node, missing }) => [node, missing]),
    [[1, 0]],
  )
  assert.ok(planMachine(topology, memory, wishes).pages.some(({ missing }) => missing > 0))
  const none = countHeldAsFree({ topology, memory }, [])
  assert.deepEqual(none, { topology, memory })
})

test('pages of a machine that is bound to no node count for the whole host, and never more than there are', () => {
  const topology = madeHost({ nodes: 1, coresPerNode: 2, threads: 1 })
  const memory = { hugepages: [{ sizeKib: 2048, total: 10, free: 1, reserved: 0, overcommit: 0 }] }
  const held = [{ sizeKib: 2048, memoryKib: 40_960, hostNodes: [] }]
  assert.equal(countHeldAsFree({ topology, memory }, held).memory.hugepages[0]?.free, 10)
  const less = [{ sizeKib: 2048, memoryKib: 4096, hostNodes: [] }]
  assert.equal(countHeldAsFree({ topology, memory }, less).memory.hugepages[0]?.free, 3)
})
