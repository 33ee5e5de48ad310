import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  CLOCK_TOLERANCE_MS,
  verifyClockNotBehind,
  verifyNotExpired,
  verifyNotFromFuture,
} from '../../src/trust/freshness.ts'
import { DAY_MS } from '../support/fixed-clock.ts'

const END = new Date('2026-06-15T12:00:00Z')
const FAILURE = { code: 'ENVELOPE_EXPIRED', subject: 'It' } as const
const at = (ms: number) => new Date(END.getTime() + ms)

describe('verifyNotExpired', () => {
  test('is fresh to the last millisecond and refuses at the end itself', () => {
    for (const policy of [{ kind: 'strict' } as const, { kind: 'snapshot', at: END } as const]) {
      assert.equal(verifyNotExpired(END, at(-1), policy, FAILURE), 'fresh')
      assert.throws(() => verifyNotExpired(END, END, policy, FAILURE), {
        code: 'ENVELOPE_EXPIRED',
        message: /2026-06-15/,
      })
    }
  })

  test('is within the grace to its last millisecond', () => {
    const policy = { kind: 'grace', graceMs: 3 * DAY_MS } as const
    assert.equal(verifyNotExpired(END, at(-1), policy, FAILURE), 'fresh')
    assert.equal(verifyNotExpired(END, END, policy, FAILURE), 'grace')
    assert.equal(verifyNotExpired(END, at(3 * DAY_MS - 1), policy, FAILURE), 'grace')
    assert.throws(() => verifyNotExpired(END, at(3 * DAY_MS), policy, FAILURE), { code: 'ENVELOPE_EXPIRED' })
  })
})

describe('the clock', () => {
  test('may stand ten minutes before what was seen, not a millisecond more', () => {
    assert.equal(CLOCK_TOLERANCE_MS, 600_000)
    verifyClockNotBehind(at(-600_000), END)
    assert.throws(() => verifyClockNotBehind(at(-600_001), END), { code: 'CLOCK_WRONG' })
    verifyClockNotBehind(new Date(0), undefined)
  })

  test('may be ten minutes behind a document, not a millisecond more', () => {
    verifyNotFromFuture(END, at(-600_000))
    assert.throws(() => verifyNotFromFuture(END, at(-600_001)), { code: 'CLOCK_WRONG' })
  })
})
