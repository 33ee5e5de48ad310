import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { dataBlocksOf, hashLevels, verityArgument } from '../../src/model/verity.ts'

const withTree = (data: number): number => hashLevels(data).reduce((sum, blocks) => sum + blocks, data)

describe('hashLevels', () => {
  test('has a level for each power of 128, up to one block', () => {
    assert.deepEqual(hashLevels(1), [])
    assert.deepEqual(hashLevels(2), [1])
    assert.deepEqual(hashLevels(128), [1])
    assert.deepEqual(hashLevels(129), [2, 1])
    assert.deepEqual(hashLevels(128 ** 2 + 1), [129, 2, 1])
  })
})

describe('dataBlocksOf', () => {
  test('finds the data of every file that is data with their tree', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 2 ** 34 }), (data) => dataBlocksOf(withTree(data) * 4096) === data))
  })

  test('finds none in a file that is not', () => {
    const whole = new Set(Array.from({ length: 40_000 }, (_, at) => withTree(at + 1)))
    for (let blocks = 0; blocks < 40_000; blocks++) {
      if (!whole.has(blocks)) assert.equal(dataBlocksOf(blocks * 4096), undefined, String(blocks))
    }
    assert.equal(dataBlocksOf(4097), undefined)
  })
})

describe('verityArgument', () => {
  const verityRoot = 'ab'.repeat(32)

  test('is the root hash and how much of the file is data', () => {
    assert.equal(verityArgument({ verityRoot, size: withTree(300) * 4096 }), `${verityRoot}:300`)
  })

  test('is nothing without a root hash', () => {
    assert.equal(verityArgument({ size: 4096 }), undefined)
  })
})
