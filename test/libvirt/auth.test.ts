import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { authenticate } from '../../src/libvirt/auth.ts'
import { LibvirtError, type LibvirtErrorName } from '../../src/libvirt/error.ts'
import { Rpc } from '../../src/libvirt/rpc.ts'
import { Writer } from '../../src/libvirt/xdr.ts'
import { FakeDaemon } from '../support/fake-libvirt.ts'

const [LIST, POLKIT] = [66, 70]

function words(...values: number[]): Buffer {
  const writer = new Writer()
  for (const value of values) writer.u32(value)
  return writer.bytes()
}

/** A daemon that offers these methods; polkit refuses with a code or agrees. */
function offering(types: readonly number[], polkitCode?: number): FakeDaemon {
  return new FakeDaemon((call, daemon) => {
    if (call.procedure === LIST) daemon.reply(call, words(types.length, ...types))
    else if (call.procedure !== POLKIT) daemon.refuse(call, 39, 'authentication required')
    else if (polkitCode === undefined) daemon.reply(call, words(1))
    else daemon.refuse(call, polkitCode, 'authentication failed')
  })
}

const fails = (name: LibvirtErrorName, local: boolean) => (error: unknown) =>
  error instanceof LibvirtError && error.is(name) && error.local === local

describe('authenticate', () => {
  test('does nothing more where nothing is asked', async () => {
    const daemon = offering([0])
    await authenticate(new Rpc(daemon.client), {})
    assert.deepEqual(
      daemon.received.map((packet) => packet.procedure),
      [LIST],
    )
  })

  test('lets polkit decide', async () => {
    const daemon = offering([2])
    await authenticate(new Rpc(daemon.client), {})
    assert.deepEqual(
      daemon.received.map((packet) => packet.procedure),
      [LIST, POLKIT],
    )
  })

  test('hands on why polkit refused', async () => {
    await assert.rejects(authenticate(new Rpc(offering([2], 94).client), {}), fails('authUnavailable', false))
    await assert.rejects(authenticate(new Rpc(offering([2], 45).client), {}), fails('authFailed', false))
  })

  test('says which method it does not speak', async () => {
    const refused = authenticate(new Rpc(offering([1]).client), {})
    await assert.rejects(refused, fails('authUnavailable', true))
    await assert.rejects(refused, /SASL/)
    await assert.rejects(authenticate(new Rpc(offering([9]).client), {}), /unknown method 9/)
  })
})
