import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { DEFAULT_CUTTING, makeChunkMap } from '../../src/image/chunk-map.ts'
import { makeOffer, planTransfer } from '../../src/image/plan-transfer.ts'
import type { ChunkRun, Frame, TransportIndex } from '../../src/image/transport-index.ts'
import { sha256 } from '../../src/model/digest.ts'
import { noise } from '../support/disk-image.ts'

const MAP = makeChunkMap(
  DEFAULT_CUTTING,
  Array.from({ length: 8 }, (_, n) => ({ length: 65_536, digest: noise(`chunk ${n}`, 32) })),
)
const KIB = 1024

type FrameSpec = readonly [sizeKib: number, ...runs: readonly ChunkRun[]]

/** Frames one after the other, 100 KiB apart so that no request joins two. */
function framesOf(...frames: readonly FrameSpec[]): readonly Frame[] {
  let offset = 0
  return frames.map(([sizeKib, ...runs]) => {
    const frame = { pack: 0, offset, size: sizeKib * KIB, rawSize: 0, digest: noise(`${offset}`, 32), runs }
    offset += frame.size + 100 * KIB
    return frame
  })
}

function run(first: number, count: number): ChunkRun {
  return { first, count }
}

const packOf = (name: string) => ({ sha256: sha256(name), size: 2 ** 30 })
const INDEX: TransportIndex = { packs: [packOf('plain')], frames: framesOf([100, run(0, 4)], [100, run(4, 4)]) }

function delta(name: string, ...frames: readonly FrameSpec[]) {
  const made = framesOf(...frames)
  return {
    pack: packOf(name),
    frames: made.map((one) => ({ ...one, runs: [...one.runs] as ChunkRun[], dictionary: [] })),
  }
}

function plan(present: readonly number[], ...deltas: ReturnType<typeof delta>[]) {
  const isPresent = Uint8Array.from({ length: 8 }, (_, chunk) => (present.includes(chunk) ? 1 : 0))
  return planTransfer(MAP, makeOffer(INDEX, deltas), isPresent)
}

describe('planTransfer', () => {
  test('fetches everything where nothing is here', () => {
    const { chosen, ways } = plan([])
    assert.deepEqual(chosen, { kind: 'full', bytes: 200 * KIB, requests: 2 })
    assert.deepEqual(ways, [chosen])
  })

  test('fetches only frames of chunks that are missing', () => {
    assert.deepEqual(plan([0, 1, 2, 3, 4]).chosen, { kind: 'chunks', bytes: 100 * KIB, requests: 1 })
    assert.deepEqual(plan([0, 1, 2, 3, 4, 5, 6, 7]).chosen, { kind: 'chunks', bytes: 0, requests: 0 })
  })

  test('takes the delta that costs least', () => {
    const [dear, cheap] = [delta('dear', [60, run(1, 1)]), delta('cheap', [10, run(1, 1)])]
    const { chosen, ways } = plan([0, 2, 3, 4, 5, 6, 7], dear, cheap)
    assert.deepEqual(chosen, { kind: 'delta', delta: 1, bytes: 10 * KIB, requests: 1 })
    assert.deepEqual(
      ways.map(({ kind, bytes }) => [kind, bytes / KIB]),
      [
        ['full', 200],
        ['chunks', 100],
        ['delta', 60],
        ['delta', 10],
        ['mixed', 10],
      ],
    )
  })

  test('mixes frames of several deltas and plain ones', () => {
    const [first, second] = [
      delta('first', [10, run(0, 2)], [99, run(2, 2)]),
      delta('second', [80, run(0, 2)], [20, run(2, 2)]),
    ]
    const { chosen } = plan([], first, second)
    assert.deepEqual(chosen, { kind: 'mixed', bytes: 130 * KIB, requests: 3 })
  })

  test('drops a frame whose chunks another brings anyway', () => {
    // Both halves of the delta's frame come with plain frames that are needed for others.
    const { ranges } = plan([], delta('in vain', [5, run(3, 2)]))
    assert.deepEqual(
      [...ranges].map(({ pack }) => pack),
      [0, 0],
    )
  })

  test('of ways alike takes the one with the fewest requests', () => {
    const spread = delta('spread', [49, run(4, 2)], [50, run(6, 2)])
    assert.equal(plan([0, 1, 2, 3], spread).chosen.kind, 'chunks')
    const cheaper = delta('cheaper', [40, run(4, 2)], [50, run(6, 2)])
    assert.equal(plan([0, 1, 2, 3], cheaper).chosen.kind, 'delta')
  })

  test('leaves out frames that turned out to be of no use', () => {
    const offer = makeOffer(INDEX, [delta('bad', [10, run(0, 4)])])
    const isPresent = Uint8Array.from([0, 0, 0, 0, 1, 1, 1, 1])
    const unfit = new Set([...offer.frames].flatMap(({ delta: of }, number) => (of === 0 ? [number] : [])))
    assert.equal(planTransfer(MAP, offer, isPresent).chosen.kind, 'delta')
    assert.equal(planTransfer(MAP, offer, isPresent, unfit).chosen.kind, 'chunks')
  })

  test('whatever is on offer, brings every missing chunk and never costs more than everything', () => {
    const someRun = fc
      .tuple(fc.nat(7), fc.integer({ min: 1, max: 4 }))
      .map(([first, count]) => run(first, Math.min(count, 8 - first)))
    const someFrame = fc.tuple(fc.integer({ min: 1, max: 150 }), someRun)
    const someDelta = fc.array(someFrame, { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(fc.subarray([0, 1, 2, 3, 4, 5, 6, 7]), fc.array(someDelta, { maxLength: 3 }), (present, deltas) => {
        const made = deltas.map((frames, number) => delta(`${number}`, ...frames))
        const { ranges, chosen, ways } = plan(present, ...made)
        const brought = new Set(
          [...ranges].flatMap(({ frames }) => frames.flatMap(({ chunks }) => chunks.map(({ chunk }) => chunk))),
        )
        const missing = [0, 1, 2, 3, 4, 5, 6, 7].filter((chunk) => !present.includes(chunk))
        assert.deepEqual(
          [...brought].toSorted((a, b) => a - b),
          missing,
        )
        const least = Math.min(...ways.map(({ bytes }) => bytes))
        assert.ok(chosen.bytes <= least * 1.02 && chosen.bytes <= 200 * KIB)
        assert.equal(
          chosen.bytes,
          [...ranges].reduce((sum, { start, end }) => sum + end - start, 0),
        )
      }),
    )
  })
})
