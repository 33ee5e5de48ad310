import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { describe, type TestContext, test } from 'node:test'
import { readBody, type StallPolicy, stalled } from '../../src/fetch/body.ts'

const PATIENT: StallPolicy = { floor: 1000, windowMs: 2000 }

function options(changes: Partial<Parameters<typeof readBody>[1]> = {}): Parameters<typeof readBody>[1] {
  return { subject: 'it', maxBytes: 100_000, stall: PATIENT, signal: undefined, ...changes }
}

/** A body that sends nothing by itself. */
function silent(): Readable {
  return new Readable({ read: () => undefined })
}

/** Sends pieces of so many bytes, each after a wait. */
async function* drip(pieces: readonly (readonly [bytes: number, afterMs: number])[]): AsyncGenerator<Buffer> {
  for (const [bytes, afterMs] of pieces) {
    await new Promise((resolve) => setTimeout(resolve, afterMs))
    yield Buffer.alloc(bytes)
  }
}

type TimedPieces = readonly (readonly [bytes: number, tookMs: number])[]

/** Makes bodies whose pieces take as long as is said, by a clock that is set by hand; after the last one they end or say no more. */
function timer(t: TestContext): (pieces: TimedPieces, last?: 'ends' | 'is silent') => Readable {
  let nowMs = 0
  t.mock.method(performance, 'now', () => nowMs)
  return (pieces, last = 'ends') => {
    const body = silent()
    async function* send(): AsyncGenerator<Buffer> {
      for (const [bytes, tookMs] of pieces) {
        nowMs += tookMs
        yield Buffer.alloc(bytes)
      }
      if (last === 'is silent') await once(body, 'close')
    }
    return Object.assign(body, { [Symbol.asyncIterator]: send })
  }
}

async function total(body: Readable, changes: Partial<Parameters<typeof readBody>[1]> = {}): Promise<number> {
  let bytes = 0
  for await (const piece of readBody(body, options(changes))) bytes += piece.length
  return bytes
}

describe('readBody', () => {
  test('takes as many bytes as the limit and not one more', async () => {
    assert.equal(await total(Readable.from([Buffer.alloc(60), Buffer.alloc(40)]), { maxBytes: 100 }), 100)
    await assert.rejects(total(Readable.from([Buffer.alloc(60), Buffer.alloc(41)]), { maxBytes: 100 }), {
      code: 'SIZE_EXCEEDED',
      message: 'it is larger than 100 bytes',
    })
  })

  test('leaves a body destroyed that harms nobody, whether it was read to its end or not', async () => {
    const body = silent()
    body.push(Buffer.alloc(10))
    for await (const piece of readBody(body, options())) if (piece.length > 0) break
    assert.equal(body.destroyed, true)
    body.emit('error', new Error('later'))
    const large = Readable.from([Buffer.alloc(11)])
    await assert.rejects(total(large, { maxBytes: 10 }))
    assert.equal(large.destroyed, true)
  })

  test('leaves a body destroyed that harms nobody where it was not even begun', async () => {
    const body = silent()
    await assert.rejects(total(body, { signal: AbortSignal.abort() }), { code: 'ABORTED' })
    assert.equal(body.destroyed, true)
    body.emit('error', new Error('later'))
  })

  test('passes the error of a body on', async () => {
    const body = silent()
    setImmediate(() => body.destroy(new Error('the line broke')))
    await assert.rejects(total(body), { message: 'the line broke' })
  })

  test('stops when the signal fires, before the first piece or later, and forgets the signal', async () => {
    const early = silent()
    await assert.rejects(total(early, { signal: AbortSignal.abort() }), { code: 'ABORTED' })
    const stop = new AbortController()
    const body = silent()
    setImmediate(() => stop.abort())
    await assert.rejects(total(body, { signal: stop.signal }), { code: 'ABORTED' })
    const kept = new AbortController()
    const listening: string[] = []
    const { signal } = kept
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)]
    Object.assign(signal, {
      addEventListener: (...args: Parameters<typeof add>) => {
        listening.push(args[0])
        add(...args)
      },
      removeEventListener: (...args: Parameters<typeof remove>) => {
        listening.push(`no ${args[0]}`)
        remove(...args)
      },
    })
    const reading = readBody(Readable.from([Buffer.alloc(1), Buffer.alloc(1)]), options({ signal }))
    await reading.next()
    assert.deepEqual(listening, ['abort'])
    await reading.return(undefined)
    assert.deepEqual(listening, ['abort', 'no abort'])
  })

  test('destroys the body at once when the user gives up or the sender stalls', async () => {
    const stop = new AbortController()
    const body = silent()
    const reading = readBody(body, options({ signal: stop.signal })).next()
    stop.abort()
    assert.equal(body.destroyed, true)
    await assert.rejects(reading, { code: 'ABORTED' })
  })

  test('gives up a sender that is silent for the whole window', async () => {
    await assert.rejects(total(silent(), { stall: { floor: 1000, windowMs: 40 } }), {
      code: 'DOWNLOAD_STALLED',
      message: 'it stalled: 0 bytes in 0.04 s',
    })
  })

  test('gives up a sender that drips below the floor, and says how much came', async () => {
    // 100 bytes are enough for a window; each piece alone is in time.
    const stall = { floor: 1000, windowMs: 100 }
    const slow = Readable.from(drip(Array.from({ length: 50 }, () => [10, 30] as const)))
    await assert.rejects(total(slow, { stall }), { code: 'DOWNLOAD_STALLED', message: /: \d{1,2} bytes in 0.1 s$/ })
  })

  test('begins a new window with each that brought enough', async () => {
    const stall = { floor: 500, windowMs: 400 }
    // Every window brings exactly the 200 bytes that are enough, in two pieces, and in all it takes far longer than one.
    const pieces = Array.from({ length: 30 }, () => [100, 40] as const)
    assert.equal(await total(Readable.from(drip(pieces)), { stall }), 3000)
    // What one window brought too much does not count for the next.
    const early = Readable.from(
      drip([
        [100_000, 0],
        [1, 120],
        [1, 120],
        [1, 120],
        [1, 120],
      ]),
    )
    await assert.rejects(total(early, { stall, maxBytes: 1e6 }), { code: 'DOWNLOAD_STALLED', message: /: \d bytes/ })
  })
})

describe('the window of a stall', () => {
  const stall = { floor: 1000, windowMs: 60_000 }
  const judging = (t: TestContext): ((pieces: TimedPieces) => Promise<number>) => {
    const make = timer(t)
    return async (pieces) => total(make(pieces), { stall })
  }
  const stalledWith = (bytes: number) => ({ code: 'DOWNLOAD_STALLED', message: `it stalled: ${bytes} bytes in 60 s` })

  test('is full at its last millisecond and not before', async (t) => {
    const judge = judging(t)
    assert.equal(await judge([[1, 59_999]]), 1)
    await assert.rejects(judge([[1, 60_000]]), stalledWith(1))
  })

  test('needs the floor in each second and not a byte more', async (t) => {
    const judge = judging(t)
    assert.equal(await judge([[60_000, 60_000]]), 60_000)
    await assert.rejects(judge([[59_999, 60_000]]), stalledWith(59_999))
  })

  test('begins anew with the piece that brought enough, with no time waited and no byte counted', async (t) => {
    const judge = judging(t)
    const enough = [60_000, 30_000] as const
    assert.equal(await judge([enough, [1, 59_999]]), 60_001)
    await assert.rejects(judge([enough, [1, 59_999], [1, 1]]), stalledWith(2))
  })

  test('ends by itself where a sender falls silent in it', async (t) => {
    const soon = timer(t)([[1, 59_990]], 'is silent')
    await assert.rejects(total(soon, { stall, signal: AbortSignal.timeout(2000) }), stalledWith(1))
  })
})

describe('stalled', () => {
  test('says how many bytes came in how many seconds', () => {
    assert.equal(stalled('it', 7, PATIENT).message, 'it stalled: 7 bytes in 2 s')
  })
})
