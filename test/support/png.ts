/** Pixels of a PNG file of 8 bits a colour, red, green and blue, unfiltered: what `vmpkg screenshot` writes. */
import assert from 'node:assert/strict'
import { crc32, inflateSync } from 'node:zlib'

export interface PngPixels {
  readonly width: number
  readonly height: number
  /** Six hexadecimal digits. */
  readonly pixel: (x: number, y: number) => string
}

/** Checks the sum of every chunk. */
export function readPng(png: Buffer): PngPixels {
  const chunks = new Map<string, Buffer>()
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at)
    const body = png.subarray(at + 4, at + 8 + length)
    assert.equal(png.readUInt32BE(at + 8 + length), crc32(body))
    chunks.set(body.toString('latin1', 0, 4), body.subarray(4))
    at += 12 + length
  }
  assert.deepEqual([...chunks.keys()], ['IHDR', 'IDAT', 'IEND'])
  const head = chunks.get('IHDR') ?? Buffer.alloc(13)
  assert.deepEqual([...head.subarray(8)], [8, 2, 0, 0, 0])
  const [width, height] = [head.readUInt32BE(0), head.readUInt32BE(4)]
  const lines = inflateSync(chunks.get('IDAT') ?? Buffer.alloc(0))
  const row = width * 3 + 1
  assert.equal(lines.length, height * row)
  for (let y = 0; y < height; y++) assert.equal(lines[y * row], 0)
  return {
    width,
    height,
    pixel: (x, y) => lines.toString('hex', y * row + 1 + x * 3, y * row + 4 + x * 3),
  }
}
