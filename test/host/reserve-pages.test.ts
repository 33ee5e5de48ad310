import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { releasePages, reservePages } from '../../src/host/reserve-pages.ts'
import { sysfsPages } from '../../src/host/sysfs-pages.ts'
import { FakeKernelPages } from '../support/fake-kernel-pages.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

async function kernel(t: TestContext, nodes: ConstructorParameters<typeof FakeKernelPages>[2], sizeKib = 2048) {
  const fake = new FakeKernelPages(await makeTempFolder(t), sizeKib, nodes)
  await fake.sync()
  return { fake, pools: sysfsPages(fake.roots, fake.write) }
}

const need = (node: number, missing: number) => ({ node, sizeKib: 2048, count: missing, available: 0, missing })
const totals = (fake: FakeKernelPages): number[] => fake.nodes.map(({ total }) => total)

describe('reservePages', () => {
  test('adds what is missing on each node, and release takes exactly that away again', async (t) => {
    const { fake, pools } = await kernel(t, [{ total: 3, used: 2, room: 100 }, { room: 100 }])
    const reserved = await reservePages(pools, [need(0, 10), need(1, 20)])
    assert.deepEqual(totals(fake), [13, 20])
    // Somebody else reserves five more meanwhile.
    const first = fake.nodes[0]
    assert.ok(first)
    first.total += 5
    await fake.sync()
    assert.deepEqual(await releasePages(pools, reserved), [])
    assert.deepEqual(totals(fake), [8, 0])
  })

  test('compacts memory where it is fragmented, and drops caches only when asked', async (t) => {
    const { fake, pools } = await kernel(t, [{ room: 4, fragmented: 10 }])
    await reservePages(pools, [need(0, 10)])
    assert.deepEqual(totals(fake), [10])
    assert.ok(fake.writes.includes('/sys/devices/system/node/node0/compact=1'))
    assert.ok(!fake.writes.some((line) => line.includes('drop_caches')))
    const other = await kernel(t, [{ room: 1, fragmented: 1 }])
    await reservePages(other.pools, [need(0, 2)], { dropCaches: true })
    assert.ok(other.fake.writes.includes('/proc/sys/vm/drop_caches=1'))
  })

  test('keeps nothing when one node gives too few', async (t) => {
    const { fake, pools } = await kernel(t, [
      { total: 7, room: 50 },
      { total: 1, room: 5 },
    ])
    await assert.rejects(reservePages(pools, [need(0, 20), need(1, 20)]), {
      code: 'HUGEPAGES_MISSING',
      message: /gave 5 of 20 huge pages of 2 MiB on NUMA node 1; none were kept/,
    })
    assert.deepEqual(totals(fake), [7, 1])
  })

  test('advises to reserve pages of 1 GiB at boot', async (t) => {
    const { pools } = await kernel(t, [{ room: 1 }], 1024 ** 2)
    await assert.rejects(reservePages(pools, [{ ...need(0, 4), sizeKib: 1024 ** 2 }]), {
      hint: /hugepagesz=1G hugepages=4/,
    })
  })

  test('reserves on the whole host where no node is named', async (t) => {
    const { fake, pools } = await kernel(t, [{ room: 8 }, { room: 8 }])
    const [reserved] = await reservePages(pools, [{ sizeKib: 2048, count: 6, available: 0, missing: 6 }])
    assert.deepEqual(reserved, { sizeKib: 2048, added: 6 })
    assert.deepEqual(totals(fake), [3, 3])
  })

  test('says that it needs root', async (t) => {
    const { fake, pools } = await kernel(t, [{ room: 8 }])
    fake.isClosed = true
    await assert.rejects(reservePages(pools, [need(0, 1)]), { code: 'NO_RIGHTS' })
  })
})

describe('releasePages', () => {
  test('leaves pages that are in use, and says how many', async (t) => {
    const { fake, pools } = await kernel(t, [{ room: 20 }])
    const reserved = await reservePages(pools, [need(0, 10)])
    const [pool] = fake.nodes
    assert.ok(pool)
    pool.used = 7
    await fake.sync()
    const left = await releasePages(pools, reserved)
    assert.deepEqual(left, [{ node: 0, sizeKib: 2048, added: 7 }])
    pool.used = 0
    await fake.sync()
    assert.deepEqual(await releasePages(pools, left), [])
    assert.deepEqual(totals(fake), [0])
  })
})
