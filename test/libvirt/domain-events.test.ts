/** Events that no test can cause on a real daemon, or of a daemon newer than the table. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Domain } from '../../src/libvirt/domain.ts'
import { domainEvents } from '../../src/libvirt/domain-events.ts'
import type { Binder, DomainIdentity } from '../../src/libvirt/references.ts'
import { Reader, Writer } from '../../src/libvirt/xdr.ts'

const binder = { domain: (identity: DomainIdentity) => identity as Domain } as Binder

/** What a daemon sends of the domain `a`, followed by numbers. */
function message(...numbers: readonly number[]): Reader {
  const writer = new Writer()
  writer.u32(1)
  writer.opaque(Buffer.from('a'))
  writer.opaque(Buffer.alloc(16))
  writer.i32(-1)
  for (const number of numbers) writer.u32(number)
  return new Reader(writer.bytes(), binder)
}

describe('events of domains', () => {
  test('name the flags of a memory failure', () => {
    const { recipient, action, flags } = domainEvents['domain.memoryFailure'].codec.read(message(1, 3, 3))
    assert.deepEqual(
      { recipient, action, flags },
      { recipient: 'guest', action: 'reset', flags: ['actionRequired', 'recursive'] },
    )
  })

  test('name the detail of a lifecycle by its event, and give an unknown one as its number', () => {
    const read = (...numbers: readonly number[]) => domainEvents['domain.lifecycle'].codec.read(message(...numbers))
    assert.equal(read(3, 8).detail, 'postcopyFailed')
    assert.equal(read(8, 1).detail, 'crashloaded')
    assert.equal(read(5, 99).detail, 'unknown(99)')
    const newer = read(77, 1)
    assert.deepEqual([newer.event, newer.detail], ['unknown(77)', 'unknown(1)'])
  })
})
