import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  countPossible,
  countRelief,
  type HostMemory,
  memberNeed,
  type PoolMember,
  parseHostMemory,
  planPools,
  reserveBytes,
} from '../../src/host/pool-room.ts'

const GIB = 1024 ** 3
const WELL: HostMemory = { totalBytes: 16 * GIB, availableBytes: 8 * GIB, stalledPercent: 0 }
const member = (uuid: string, more: Partial<PoolMember> = {}): PoolMember => {
  return { uuid, package: 'app', isAbandoned: false, isFresh: true, heldBytes: GIB, ...more }
}
const demand = (size: number, needBytes: number | undefined = 2 * GIB) => [{ package: 'app', size, needBytes }]

describe('memory of a host', () => {
  const meminfo = 'MemTotal:       16777216 kB\nMemFree: 1 kB\nMemAvailable:    8388608 kB\n'

  test('is read from what the kernel writes, with the pressure where it tells', () => {
    const pressure = 'some avg10=12.34 avg60=1.00 avg300=0.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n'
    assert.deepEqual(parseHostMemory(meminfo, pressure), { ...WELL, stalledPercent: 12.34 })
    assert.deepEqual(parseHostMemory(meminfo, ''), WELL)
    assert.equal(parseHostMemory('MemTotal: 1 kB\n', pressure), undefined)
  })

  test('keeps a tenth for others, and 256 MiB at least', () => {
    assert.equal(reserveBytes({ ...WELL, totalBytes: 40 * GIB }), 4 * GIB)
    assert.equal(reserveBytes({ ...WELL, totalBytes: GIB }), 256 * 1024 ** 2)
    assert.equal(countPossible({ ...WELL, totalBytes: 10 * GIB }, 3 * GIB), 3)
    assert.equal(countPossible({ ...WELL, totalBytes: GIB }, GIB), 0)
  })
})

describe('what becomes of pools', () => {
  test('what is missing is made, as far as there is memory beside the reserve and what others were promised', () => {
    assert.deepEqual(planPools(demand(2), [], WELL, 0), { drop: [], make: [{ package: 'app', count: 2 }], short: [] })
    assert.deepEqual(planPools(demand(5), [], WELL, 2 * GIB), {
      drop: [],
      make: [{ package: 'app', count: 2 }],
      short: [{ package: 'app', count: 3 }],
    })
    assert.deepEqual(planPools(demand(2), [member('a')], WELL, 0).make, [{ package: 'app', count: 1 }])
    assert.deepEqual(planPools(demand(1), [member('a')], WELL, 0), { drop: [], make: [], short: [] })
  })

  test('what is stale, abandoned or too much goes, and what goes is made anew', () => {
    const members = [member('a', { isFresh: false }), member('b', { isAbandoned: true }), member('c'), member('d')]
    assert.deepEqual(planPools(demand(1), members, WELL, 0), {
      drop: [
        { uuid: 'a', reason: 'stale' },
        { uuid: 'b', reason: 'abandoned' },
        { uuid: 'd', reason: 'surplus' },
      ],
      make: [],
      short: [],
    })
    assert.deepEqual(planPools(demand(2), members.slice(0, 2), WELL, 0).make, [{ package: 'app', count: 2 }])
  })

  test('of a package that nobody wants a pool of, or that is not installed, nothing stays and nothing is made', () => {
    assert.deepEqual(planPools([], [member('a')], WELL, 0).drop, [{ uuid: 'a', reason: 'surplus' }])
    const gone = [{ package: 'app', size: 2, needBytes: undefined }]
    assert.deepEqual(planPools(gone, [member('a', { isFresh: false })], WELL, 0), {
      drop: [{ uuid: 'a', reason: 'stale' }],
      make: [],
      short: [],
    })
  })

  test('where memory is short the oldest go until the reserve is there, and none is made', () => {
    const tight = { ...WELL, availableBytes: 0.5 * GIB }
    const members = ['a', 'b', 'c'].map((uuid) => member(uuid))
    const plan = planPools(demand(3), members, tight, 0)
    assert.deepEqual(plan.drop, [
      { uuid: 'a', reason: 'memory' },
      { uuid: 'b', reason: 'memory' },
    ])
    assert.deepEqual(plan.make, [])
    assert.deepEqual(plan.short, [{ package: 'app', count: 2 }])
  })

  test('where the host stalls one goes at a time, and none is made', () => {
    const stalled = { ...WELL, stalledPercent: 10 }
    assert.deepEqual(planPools(demand(3), [member('a'), member('b')], stalled, 0), {
      drop: [{ uuid: 'a', reason: 'memory' }],
      make: [],
      short: [{ package: 'app', count: 2 }],
    })
  })

  test('what a plan brings about is stable: the next one has nothing to do, and never is more made than fits', () => {
    const shapes = fc.record({
      size: fc.nat(6),
      need: fc.integer({ min: 1, max: 4 }),
      available: fc.integer({ min: 0, max: 160 }),
      states: fc.array(fc.record({ isFresh: fc.boolean(), isAbandoned: fc.boolean() }), { maxLength: 6 }),
    })
    fc.assert(
      fc.property(shapes, ({ size, need, available, states }) => {
        const needBytes = need * GIB
        const members = states.map((state, index) => member(String(index), { ...state, heldBytes: needBytes }))
        const before = { ...WELL, availableBytes: Math.ceil((available * GIB) / 10) }
        const demands = size === 0 ? [] : demand(size, needBytes)
        const plan = planPools(demands, members, before, 0)
        const made = plan.make.reduce((sum, { count }) => sum + count, 0)
        const freed = plan.drop.length * needBytes
        assert.ok(made === 0 || before.availableBytes + freed - made * needBytes >= reserveBytes(before))
        const left = members.filter(({ uuid }) => !plan.drop.some((one) => one.uuid === uuid))
        const next = [...left, ...Array.from({ length: made }, (_, n) => member(`new-${n}`, { heldBytes: needBytes }))]
        const after = { ...before, availableBytes: before.availableBytes + freed - made * needBytes }
        const again = planPools(demands, next, after, 0)
        assert.deepEqual([again.drop, again.make], [[], []])
      }),
      // Exactly the reserve is left, and three of two GiB go.
      {
        examples: [
          [
            {
              size: 3,
              need: 2,
              available: 16,
              states: Array.from({ length: 3 }, () => ({ isFresh: false, isAbandoned: false })),
            },
          ],
        ],
      },
    )
  })

  test('so many of the oldest make room as are needed', () => {
    assert.equal(countRelief([3, 3, 3], 10, 10), 0)
    assert.equal(countRelief([3, 3, 3], 5, 10), 2)
    assert.equal(countRelief([3], 0, 10), 1)
    assert.equal(memberNeed(100, 50), 150 + 64 * 1024 ** 2)
  })
})
