import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { type Announcements, withSwapLock } from '../../src/publish/swap-lock.ts'

/** A place in memory whose every answer takes as long as the schedule says. */
function place(delays: readonly number[] = []): Announcements & { readonly names: Set<string> } {
  const names = new Set<string>()
  let turn = 0
  const wait = async (): Promise<void> => sleep(delays[turn++ % Math.max(1, delays.length)] ?? 0)
  return {
    name: 'the place',
    names,
    async announce(token) {
      await wait()
      names.add(token)
      await wait()
    },
    async withdraw(tokens) {
      for (const token of tokens) names.delete(token)
    },
    async list() {
      await wait()
      const seen = [...names]
      await wait()
      return seen
    },
  }
}

const QUICK = { pollMs: 1, waitMs: 20_000 }

describe('withSwapLock', () => {
  test('lets one in at a time and all in the end, however slow the answers are', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 2, max: 6 }),
        async (delays, publishers) => {
          const shared = place(delays)
          let inside = 0
          let count = 0
          const enter = async (): Promise<void> => {
            assert.equal(++inside, 1)
            const before = count
            await sleep(1)
            count = before + 1
            inside--
          }
          await Promise.all(Array.from({ length: publishers }, async () => withSwapLock(shared, enter, QUICK)))
          assert.equal(count, publishers)
          assert.equal(shared.names.size, 0)
        },
      ),
      { numRuns: 30 },
    )
  })

  test('takes away the announcement of a dead publisher, not of one that comes and goes', async () => {
    const shared = place()
    shared.names.add('0'.repeat(32))
    const began = performance.now()
    assert.equal(await withSwapLock(shared, async () => 'done', { ...QUICK, staleMs: 200 }), 'done')
    assert.ok(performance.now() - began >= 200)
    assert.equal(shared.names.size, 0)
  })

  test('gives up when others never leave, and leaves nothing behind', async () => {
    const shared = place()
    const other = 'f'.repeat(32)
    shared.names.add(other)
    const options = { ...QUICK, waitMs: 50, holdMs: 20 }
    await assert.rejects(
      withSwapLock(shared, async () => 'done', options),
      { code: 'LOCK_HELD' },
    )
    assert.deepEqual([...shared.names], [other])
    const signal = AbortSignal.timeout(20)
    await assert.rejects(
      withSwapLock(shared, async () => 'done', { ...QUICK, signal }),
      { code: 'ABORTED' },
    )
  })

  test('does not write when its turn is over', async () => {
    const late = withSwapLock(
      place(),
      async (lease) => {
        await sleep(30)
        return lease.remaining()
      },
      { ...QUICK, holdMs: 20, waitMs: 50 },
    )
    await assert.rejects(late, { code: 'LOCK_HELD' })
  })

  test('does not care about files of other names', async () => {
    const shared = place()
    shared.names.add('index.html')
    assert.equal(await withSwapLock(shared, async () => 'done', { ...QUICK, waitMs: 50 }), 'done')
  })
})
