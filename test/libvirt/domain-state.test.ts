/** States of a domain with their reasons: the same number is another reason in another state. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type StateAndReason, stateAndReason } from '../../src/libvirt/domain-state.ts'
import { LibvirtError } from '../../src/libvirt/error.ts'
import { Reader, Writer } from '../../src/libvirt/xdr.ts'

function numbers(state: number, reason: number): Buffer {
  const writer = new Writer()
  writer.i32(state)
  writer.i32(reason)
  return writer.bytes()
}

function encode(value: StateAndReason): Buffer {
  const writer = new Writer()
  stateAndReason.write(writer, value)
  return writer.bytes()
}

const read = (state: number, reason: number) => stateAndReason.read(new Reader(numbers(state, reason)))

describe('stateAndReason', () => {
  test('names a reason by its state', () => {
    assert.deepEqual(read(1, 5), { state: 'running', reason: 'unpaused' })
    assert.deepEqual(read(3, 5), { state: 'paused', reason: 'ioError' })
    assert.deepEqual(read(5, 5), { state: 'shutoff', reason: 'saved' })
    assert.deepEqual(read(6, 1), { state: 'crashed', reason: 'panicked' })
    assert.deepEqual(read(3, 14), { state: 'paused', reason: 'apiError' })
    assert.deepEqual(read(1, 11), { state: 'running', reason: 'postcopyFailed' })
  })

  test('keeps the numbers of what is newer than the table', () => {
    assert.deepEqual(read(1, 99), { state: 'running', reason: 'unknown(99)' })
    assert.deepEqual(read(9, 1), { state: 'unknown(9)', reason: 'unknown(1)' })
  })

  test('writes what it read, whatever the numbers', () => {
    const small = fc.integer({ min: -2, max: 20 })
    fc.assert(
      fc.property(small, small, (state, reason) => {
        assert.deepEqual(encode(read(state, reason)), numbers(state, reason))
      }),
    )
  })

  test('refuses the reason of another state', () => {
    assert.throws(
      () => encode({ state: 'shutoff', reason: 'booted' as never }),
      (error) =>
        error instanceof LibvirtError && error.is('invalidArg') && /one of unknown, shutdown/.test(error.message),
    )
  })
})
