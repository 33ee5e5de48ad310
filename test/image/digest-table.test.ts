import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { DigestTable } from '../../src/image/digest-table.ts'
import { digestList } from '../support/digest-list.ts'
import { noise } from '../support/disk-image.ts'

/** 32 bytes each, all different. */
function digestsOf(count: number): readonly Buffer[] {
  const bytes = noise('digests', count * 32)
  return Array.from({ length: count }, (_, number) => bytes.subarray(number * 32, number * 32 + 32))
}

describe('DigestTable', () => {
  test('numbers digests as a Map does, however many and however alike they are', () => {
    const alike = Array.from({ length: 3000 }, (_, number) => {
      const digest = Buffer.alloc(32, 7)
      digest.writeUInt16LE(number, number % 31)
      return digest
    })
    const table = new DigestTable()
    const oracle = new Map<string, number>()
    for (const digest of [...digestsOf(5000), ...alike, ...digestsOf(300), ...alike.slice(5)]) {
      const key = digest.toString('hex')
      const known = oracle.get(key) ?? -1
      assert.equal(table.find(digest), known)
      if (known === -1) oracle.set(key, oracle.size)
      assert.equal(table.add(Uint8Array.from(digest)), oracle.get(key))
    }
    assert.equal(table.count, oracle.size)
    const kept = Array.from({ length: table.count }, (_, number) =>
      Buffer.from(table.digests().at(number)).toString('hex'),
    )
    assert.deepEqual(kept, [...oracle.keys()])
  })

  test('knows the digests that it begins with, and adds none to them', () => {
    const table = new DigestTable(digestList(Buffer.concat(digestsOf(200))))
    for (const [number, digest] of digestsOf(200).entries()) assert.equal(table.find(digest), number)
    const other = Buffer.alloc(32, 1)
    assert.equal(table.find(other), -1)
    assert.throws(() => table.add(other), TypeError)
  })

  test('holds none at first', () => {
    const table = new DigestTable()
    assert.equal(table.find(Buffer.alloc(32)), -1)
    assert.equal(table.count, 0)
  })
})
