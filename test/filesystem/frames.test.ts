import assert from 'node:assert/strict'
import { test } from 'node:test'
import { collectFrames, splitFrames } from '../../src/filesystem/frames.ts'

async function* inPieces(text: string, size: number): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

test('frames come out alike however the stream is cut', async () => {
  const text = 'dropped\n@@mark one\nfirst @@mar @@\n@@mark two\n@@mark\nno line end'
  for (let size = 1; size <= text.length; size++) {
    const frames = await collectFrames(inPieces(text, size), '@@mark', 1000)
    assert.deepEqual(
      frames.map(({ head, body }) => [head, body.toString()]),
      [
        ['one', 'first @@mar @@\n'],
        ['two', ''],
        ['', 'no line end'],
      ],
      `pieces of ${size}`,
    )
  }
})

test('a long frame is handed on in pieces and kept no longer than it may', async () => {
  const text = `@@mark\n${'x'.repeat(100_000)}`
  const sizes: number[] = []
  for await (const part of splitFrames(inPieces(text, 1000), '@@mark'))
    if ('piece' in part) sizes.push(part.piece.length)
  assert.ok(Math.max(...sizes) <= 1100)
  assert.equal(
    sizes.reduce((sum, one) => sum + one, 0),
    100_000,
  )
  assert.equal((await collectFrames(inPieces(text, 1000), '@@mark', 10))[0]?.body.length, 10)
})
