import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { encodePng, isPng, parsePixmap } from '../../src/domain/picture.ts'
import { isVmpkgError } from '../../src/errors.ts'
import { readPng } from '../support/png.ts'

const pixmap = (head: string, count: number): Buffer =>
  Buffer.concat([Buffer.from(head, 'latin1'), Buffer.from(Array.from({ length: count }, (_, i) => i % 256))])

describe('parsePixmap', () => {
  test('reads what QEMU writes, comments of the format too', () => {
    const { width, height, pixels } = parsePixmap(pixmap('P6\n2 3\n255\n', 18))
    assert.deepEqual([width, height, pixels.length, pixels[17]], [2, 3, 18, 17])
    assert.equal(parsePixmap(pixmap('P6\n# a comment\n2 3\n255\n', 18)).width, 2)
  })

  for (const [what, bytes] of [
    ['nothing', Buffer.alloc(0)],
    ['another form', pixmap('P5\n2 3\n255\n', 6)],
    ['more bits a colour', pixmap('P6\n2 3\n65535\n', 36)],
    ['fewer pixels than it says', pixmap('P6\n2 3\n255\n', 17)],
    ['more pixels than it says', pixmap('P6\n2 3\n255\n', 19)],
    ['no pixels', pixmap('P6\n0 0\n255\n', 0)],
    ['a side that no screen has', pixmap('P6\n999999 1\n255\n', 18)],
  ] as const) {
    test(`refuses ${what}`, () => {
      assert.throws(
        () => parsePixmap(bytes),
        (error) => isVmpkgError(error, 'DOMAIN_STATE'),
      )
    })
  }
})

describe('encodePng', () => {
  test('holds every pixel, with true sums', () => {
    const picture = parsePixmap(pixmap('P6\n5 4\n255\n', 60))
    const png = encodePng(picture)
    assert.ok(isPng(png))
    const { width, height, pixel } = readPng(png)
    assert.deepEqual([width, height], [5, 4])
    const hex = Buffer.from(picture.pixels).toString('hex')
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) assert.equal(pixel(x, y), hex.slice((y * width + x) * 6, (y * width + x) * 6 + 6))
    }
  })
})
