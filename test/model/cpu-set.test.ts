import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { formatCpuSet, parseCpuMask, parseCpuSet } from '../../src/model/cpu-set.ts'

const sets = fc.uniqueArray(fc.integer({ min: 0, max: 16_383 }), { maxLength: 40 })

describe('parseCpuSet', () => {
  test('reads lists of the kernel and of libvirt', () => {
    assert.deepEqual(parseCpuSet('0-3,8\n'), [0, 1, 2, 3, 8])
    assert.deepEqual(parseCpuSet('0-7:2/4'), [0, 1, 4, 5])
    assert.deepEqual(parseCpuSet('0-3,^2'), [0, 1, 3])
    assert.deepEqual(parseCpuSet('3,1,1'), [1, 3])
    assert.deepEqual(parseCpuSet(''), [])
  })

  test('refuses everything else', () => {
    for (const text of ['3-1', 'a', '1,', '-1', '0-', '16384', '0-3:0/4', '0-3:5/4', '^0-3', '1 2', '0x3', '(null)']) {
      assert.throws(() => parseCpuSet(text), { code: 'PARAMETER_INVALID' }, text)
    }
  })

  test('is the inverse of formatCpuSet', () => {
    fc.assert(
      fc.property(sets, (cpus) => {
        assert.deepEqual(
          parseCpuSet(formatCpuSet(cpus)),
          cpus.toSorted((a, b) => a - b),
        )
      }),
    )
  })
})

describe('formatCpuSet', () => {
  test('writes the shortest list', () => {
    assert.equal(formatCpuSet([8, 1, 0, 2]), '0-2,8')
    assert.equal(formatCpuSet([]), '')
  })
})

describe('parseCpuMask', () => {
  test('reads words of 32 bits, the highest first', () => {
    assert.deepEqual(parseCpuMask('00000001,00000000,0000000f\n'), [0, 1, 2, 3, 64])
    assert.deepEqual(parseCpuMask('0'), [])
    assert.equal(parseCpuMask(''), undefined)
    assert.equal(parseCpuMask('0-3'), undefined)
  })

  test('agrees with BigInt', () => {
    fc.assert(
      fc.property(sets, (cpus) => {
        const mask = cpus.reduce((sum, cpu) => sum | (1n << BigInt(cpu)), 0n)
        assert.deepEqual(
          parseCpuMask(mask.toString(16)),
          cpus.toSorted((a, b) => a - b),
        )
      }),
    )
  })
})
