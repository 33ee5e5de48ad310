import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SketchTable, sketch } from '../../src/image/sketch.ts'
import { noise } from '../support/disk-image.ts'

const BITS = 9
const PART = noise('part', 100_000)

function shared(a: Uint32Array, b: Uint32Array): number {
  const known = new Set(b)
  return a.filter((feature) => known.has(feature)).length
}

describe('sketch', () => {
  test('samples about one feature in 512 bytes, ascending', () => {
    const features = sketch(PART, BITS)
    assert.ok(features.length > 120 && features.length < 290, `${features.length} features`)
    assert.deepEqual(features, features.toSorted())
  })

  test('finds the same bytes at any offset', () => {
    const moved = Buffer.concat([noise('before', 12_345), PART, noise('after', 999)])
    const features = sketch(PART, BITS)
    assert.ok(shared(features, sketch(moved, BITS)) >= features.length - 1)
  })

  test('loses only what an edit touches, and has nothing in common with other bytes', () => {
    const edited = Buffer.from(PART)
    for (let at = 0; at < edited.length; at += 10_000) edited.write('edit', at)
    const features = sketch(PART, BITS)
    assert.ok(shared(features, sketch(edited, BITS)) > features.length * 0.9)
    assert.equal(shared(features, sketch(noise('other', 100_000), BITS)), 0)
  })
})

describe('SketchTable', () => {
  test('tells the parts that have a feature, and nothing of one that too many have', () => {
    const table = new SketchTable([Uint32Array.of(1, 7), Uint32Array.of(7, 0xffff_ffff), Uint32Array.of(7)])
    assert.deepEqual(table.find(1, 4), [0])
    assert.deepEqual(table.find(7, 4), [0, 1, 2])
    assert.deepEqual(table.find(7, 2), [])
    assert.deepEqual(table.find(0xffff_ffff, 4), [1])
    assert.deepEqual(table.find(2, 4), [])
  })
})
