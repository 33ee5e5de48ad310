import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readSignatureFrame } from '../../src/trust/packet-frame.ts'

const read = (...bytes: readonly number[]) => readSignatureFrame(Uint8Array.from(bytes), 0)
const found = (header: number, length: number) => ({ header, length })

describe('the frame of a signature packet', () => {
  test('has in the old form one, two or four bytes of length', () => {
    assert.deepEqual(read(0x88, 0), found(2, 0))
    assert.deepEqual(read(0x88, 255), found(2, 255))
    assert.deepEqual(read(0x89, 0, 0), found(3, 0))
    assert.deepEqual(read(0x89, 1, 2), found(3, 258))
    assert.deepEqual(read(0x8a, 0, 0, 0, 0), found(5, 0))
    assert.deepEqual(read(0x8a, 1, 2, 3, 4), found(5, 0x01020304))
  })

  test('has in the new form one, two or five bytes of length, as its first byte says', () => {
    assert.deepEqual(read(0xc2, 0), found(2, 0))
    assert.deepEqual(read(0xc2, 191, 0xff), found(2, 191))
    assert.deepEqual(read(0xc2, 192, 0), found(3, 192))
    assert.deepEqual(read(0xc2, 193, 7), found(3, 455))
    assert.deepEqual(read(0xc2, 223, 255), found(3, 8383))
    assert.deepEqual(read(0xc2, 255, 0, 0, 0, 0), found(6, 0))
    assert.deepEqual(read(0xc2, 255, 1, 2, 3, 4), found(6, 0x01020304))
  })

  test('is none where the length is partial or has no end, and where the packet is of another kind', () => {
    for (let first = 224; first < 255; first++) assert.equal(read(0xc2, first, 0, 0, 0, 0), undefined, String(first))
    for (let tagByte = 0; tagByte < 256; tagByte++) {
      const isSignature = [0x88, 0x89, 0x8a, 0xc2].includes(tagByte)
      assert.equal(read(tagByte, 1, 1, 1, 1, 1) !== undefined, isSignature, String(tagByte))
    }
  })

  test('is none where the header is cut off', () => {
    for (const bytes of [[], [0x88], [0x89, 0], [0x8a, 0, 0, 0], [0xc2], [0xc2, 192], [0xc2, 255, 0, 0, 0]]) {
      assert.equal(read(...bytes), undefined, String(bytes))
    }
  })

  test('is read at any place of any piece of memory, and not beyond it', () => {
    const piece = Uint8Array.from([0xc2, 0x89, 9, 9, 0x88, 7, 9]).subarray(1, 6)
    assert.deepEqual(readSignatureFrame(piece, 0), found(3, 0x0909))
    assert.deepEqual(readSignatureFrame(piece, 3), found(2, 7))
    assert.equal(readSignatureFrame(piece.subarray(0, 4), 3), undefined)
    assert.equal(readSignatureFrame(piece, 5), undefined)
  })
})
