/**
 * Bytes that a map and an index of so many chunks take of the heap and beside it, garbage collected, and the peak of the process.
 * Arguments: chunks, folder for what memory does not hold. Needs `--expose-gc`.
 */
import { randomFillSync } from 'node:crypto'
import { CUTTINGS, makeChunkMap } from '../../../src/image/chunk-map.ts'
import { FrameTable } from '../../../src/image/frame-table.ts'
import { Scratch } from '../../../src/image/paged.ts'
import { allPlaces } from '../../../src/image/places.ts'
import { makeOffer, planTransfer } from '../../../src/image/plan-transfer.ts'
import { sha256 } from '../../../src/model/digest.ts'

const [count = '', folder = ''] = process.argv.slice(2)
const LENGTH = 832 * 4096
const chunks = Number(count)
const scratch = new Scratch(folder)
const random = new Uint8Array(32)

function* extents() {
  for (let chunk = 0; chunk < chunks; chunk++) yield { length: LENGTH, digest: randomFillSync(random) }
}

function taken(): number {
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const before = taken()
const map = makeChunkMap(CUTTINGS.at(-1) ?? CUTTINGS[0], extents(), scratch)
const frames = new FrameTable(scratch)
for (let chunk = 0; chunk < chunks; chunk++) {
  const runs = [{ first: chunk, count: 1 }]
  frames.push({ pack: 0, offset: chunk * 1000, size: 1000, rawSize: LENGTH, digest: randomFillSync(random), runs })
}
const places = allPlaces(map, scratch)
const offer = makeOffer({ packs: [{ sha256: sha256('pack'), size: 2 ** 40 }], frames }, [])
const plan = planTransfer(map, offer, new Uint8Array(chunks))
let ranges = 0
for (const { frames: own } of plan.ranges) ranges += own.length
const after = taken()
console.log(JSON.stringify({ bytes: after - before, frames: ranges, last: places.first.at(-1), onDisk: scratch.size }))
