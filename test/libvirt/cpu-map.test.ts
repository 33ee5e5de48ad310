import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { cpuMap } from '../../src/libvirt/cpu-map.ts'
import { LibvirtError } from '../../src/libvirt/error.ts'
import { Reader, Writer } from '../../src/libvirt/xdr.ts'

function encode(cpus: readonly number[]): Buffer {
  const writer = new Writer()
  cpuMap.write(writer, cpus)
  return writer.bytes()
}

describe('maps of processors', () => {
  test('give back every set of processors in rising order', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(16_383), { minLength: 1 }), (cpus) => {
        assert.deepEqual(
          cpuMap.read(new Reader(encode(cpus))),
          cpus.toSorted((a, b) => a - b),
        )
      }),
    )
  })

  test('begin with the lowest bit of the first byte', () => {
    assert.equal(encode([0, 9]).toString('hex'), '0000000201020000')
  })

  test('refuse what is no number of a processor', () => {
    for (const wrong of [[], [-1], [16_384], [1.5], ['0' as unknown as number], '0' as unknown as number[]])
      assert.throws(
        () => encode(wrong),
        (error) => error instanceof LibvirtError && error.is('invalidArg'),
      )
  })
})
