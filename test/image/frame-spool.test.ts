import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { FrameSpool } from '../../src/image/frame-spool.ts'
import type { Frame } from '../../src/image/transport-index.ts'
import { noise } from '../support/disk-image.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const frame = (name: string, size: number): Frame => ({
  pack: 0,
  offset: 0,
  size,
  rawSize: size,
  digest: noise(name, 32),
  runs: [],
})
const FRAMES = [frame('a', 1000), frame('b', 700), frame('c', 900)]
const [A, B, C] = FRAMES as [Frame, Frame, Frame]

describe('the frame spool', () => {
  test('has after a kill what had arrived, and takes the rest behind it', async (t) => {
    const path = join(await makeTempFolder(t), 'spool')
    const bytes = noise('bytes of a', 1000)
    {
      await using spool = await FrameSpool.open(path, FRAMES)
      spool.add(A, 0, bytes.subarray(0, 300))
      spool.add(B, 0, noise('bytes of b', 700))
      spool.add(A, 300, bytes.subarray(300, 400))
    }
    await using spool = await FrameSpool.open(path, FRAMES)
    assert.deepEqual(
      FRAMES.map((one) => spool.lengthOf(one)),
      [400, 700, 0],
    )
    assert.ok(Buffer.from(await spool.read(A)).equals(bytes.subarray(0, 400)))
    spool.add(A, 0, bytes.subarray(0, 400)) // passed over: it is there
    spool.add(A, 400, bytes.subarray(400, 500))
    assert.ok(Buffer.from(await spool.read(A)).equals(bytes.subarray(0, 500)))
  })

  test('takes the slot of a frame that is done for the next one, and none of another frame that is still wanted', async (t) => {
    const path = join(await makeTempFolder(t), 'spool')
    await using spool = await FrameSpool.open(path, FRAMES)
    spool.add(A, 0, noise('a', 10))
    spool.add(B, 0, noise('b', 10))
    spool.release(A)
    spool.add(C, 0, noise('c', 10))
    await using again = await FrameSpool.open(path, FRAMES)
    assert.deepEqual(
      FRAMES.map((one) => again.lengthOf(one)),
      [0, 10, 10],
    )
    assert.ok(Buffer.from(await again.read(C)).equals(noise('c', 10)))
  })

  test('gives up frames that nobody wants any more', async (t) => {
    const path = join(await makeTempFolder(t), 'spool')
    {
      await using spool = await FrameSpool.open(path, FRAMES)
      for (const one of FRAMES) spool.add(one, 0, noise('x', 10))
    }
    await using spool = await FrameSpool.open(path, [B, A])
    assert.deepEqual(
      FRAMES.map((one) => spool.lengthOf(one)),
      [10, 10, 0],
    )
  })

  test('survives any bytes in its file: lengths stay within the frame', async (t) => {
    const path = join(await makeTempFolder(t), 'spool')
    {
      await using spool = await FrameSpool.open(path, FRAMES)
      for (const one of FRAMES) spool.add(one, 0, noise('x', one.size))
    }
    const content = await readFile(path)
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: content.length - 1 }),
        fc.uint8Array({ maxLength: 80 }),
        fc.nat(),
        async (at, bytes, cut) => {
          const changed = Buffer.from(content)
          changed.set(bytes.subarray(0, changed.length - at), at)
          await writeFile(path, changed.subarray(0, changed.length - (cut % 200)))
          await using spool = await FrameSpool.open(path, FRAMES)
          for (const one of FRAMES) {
            assert.ok(spool.lengthOf(one) <= one.size)
            assert.equal((await spool.read(one)).length, spool.lengthOf(one))
          }
        },
      ),
    )
  })
})
