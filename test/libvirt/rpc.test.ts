import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { string } from '../../src/libvirt/codecs.ts'
import { ConnectionClosed, LibvirtError } from '../../src/libvirt/error.ts'
import { KEEPALIVE, PROGRAM, STATUS, TYPE } from '../../src/libvirt/protocol.ts'
import { type CallOptions, Rpc } from '../../src/libvirt/rpc.ts'
import { Reader, Writer } from '../../src/libvirt/xdr.ts'
import { FakeDaemon, framed } from '../support/fake-libvirt.ts'

function textOf(payload: Buffer): string {
  const reader = new Reader(payload)
  const value = string.read(reader)
  reader.end()
  return value
}

function payloadOf(value: string): Buffer {
  const writer = new Writer()
  string.write(writer, value)
  return writer.bytes()
}

function ask(rpc: Rpc, procedure = 1, options: CallOptions = {}) {
  const request = { name: 'TEST', program: PROGRAM.remote, procedure, payload: Buffer.alloc(0), decode: textOf }
  return rpc.call(request, options)
}

describe('Rpc', () => {
  test('matches replies to calls by serial, in any order', async () => {
    const daemon = new FakeDaemon((_, self) => {
      if (self.received.length < 20) return
      for (const call of self.received.toReversed()) self.reply(call, payloadOf(`${call.procedure}`))
    })
    const rpc = new Rpc(daemon.client)
    const replies = await Promise.all(Array.from({ length: 20 }, (_, i) => ask(rpc, i)))
    assert.deepEqual(
      replies,
      Array.from({ length: 20 }, (_, i) => ({ ok: true, value: `${i}` })),
    )
  })

  test('hands a refusal on as a reply', async () => {
    const daemon = new FakeDaemon((call, self) => self.refuse(call, 42, 'Domain not found'))
    const reply = await ask(new Rpc(daemon.client))
    assert.ok(!reply.ok)
    assert.deepEqual([reply.error.code, reply.error.domain, reply.error.message], [42, 7, 'Domain not found'])
  })

  test('answers a ping at once', async () => {
    const daemon = new FakeDaemon(() => {})
    const rpc = new Rpc(daemon.client)
    daemon.packet({ program: PROGRAM.keepalive, procedure: KEEPALIVE.ping, type: TYPE.message, serial: 0 })
    while (daemon.received.length === 0) await turn()
    assert.equal(rpc.closed, undefined)
    assert.partialDeepStrictEqual(daemon.received, [
      { program: PROGRAM.keepalive, procedure: KEEPALIVE.pong, type: TYPE.message, serial: 0, status: STATUS.ok },
    ])
  })

  test('stops waiting after the time, and drops the late reply', async () => {
    const daemon = new FakeDaemon(() => {})
    const rpc = new Rpc(daemon.client)
    await assert.rejects(
      ask(rpc, 1, { timeoutMs: 5 }),
      (error) => error instanceof LibvirtError && error.is('operationTimeout') && error.local,
    )
    const [late] = daemon.received
    assert.ok(late)
    daemon.reply(late, Buffer.from('not a text'))
    const next = ask(rpc, 2)
    while (daemon.received.length < 2) await turn()
    daemon.reply(daemon.received[1] ?? late, payloadOf('on time'))
    assert.deepEqual(await next, { ok: true, value: 'on time' })
  })

  test('stops waiting when the signal fires, with its reason', async () => {
    const rpc = new Rpc(new FakeDaemon(() => {}).client)
    const reason = new Error('enough')
    const stopped = new AbortController()
    const call = ask(rpc, 1, { signal: stopped.signal })
    stopped.abort(reason)
    await assert.rejects(call, reason)
    await assert.rejects(ask(rpc, 1, { signal: stopped.signal }), reason)
    assert.equal(rpc.closed, undefined)
  })

  test('rejects all calls under way and all later ones with one ConnectionClosed', async () => {
    const daemon = new FakeDaemon((_, self) => {
      if (self.received.length === 10) self.end()
    })
    const rpc = new Rpc(daemon.client)
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => ask(rpc)))
    const reasons = new Set(
      results.map((result) => (result.status === 'rejected' ? (result.reason as unknown) : result)),
    )
    assert.equal(reasons.size, 1)
    const [reason] = reasons
    assert.ok(reason instanceof ConnectionClosed)
    await assert.rejects(ask(rpc), reason)
  })

  for (const [what, packet] of [
    ['a reply nobody asked for', framed({ serial: 77 })],
    ['a call', framed({ type: TYPE.call })],
    ['file descriptors', framed({ type: 5 })],
    ['an unknown program', framed({ program: 1 })],
    ['an unknown status', framed({ status: 9 })],
    ['a stream nobody opened', framed({ type: TYPE.stream, serial: 77, status: STATUS.continue }, Buffer.from('x'))],
    ['a reply that is cut', framed({}, Buffer.from('000000ff', 'hex'))],
    ['a reply with bytes left over', framed({}, Buffer.from('0000000000000000', 'hex'))],
    ['an error that is cut', framed({ status: STATUS.error }, Buffer.alloc(4))],
    ['a packet of no length', Buffer.alloc(28)],
    ['a packet of 4 GiB', Buffer.alloc(28, 0xff)],
    ['the greeting of another server', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ] as const) {
    test(`closes the connection for ${what}, and the call under way rejects`, async () => {
      const daemon = new FakeDaemon((_, self) => self.raw(packet))
      const rpc = new Rpc(daemon.client)
      await assert.rejects(
        ask(rpc),
        (error) => error instanceof ConnectionClosed && /malformed packet/.test(error.message),
      )
      assert.ok(rpc.closed)
    })
  }

  test('settles every call whatever mutated packets come in whatever pieces', async () => {
    const mutation = fc.record({ at: fc.nat(80), to: fc.nat(255) })
    const runs = fc.array(fc.tuple(fc.array(mutation, { maxLength: 3 }), fc.integer({ min: 1, max: 40 })), {
      minLength: 1,
      maxLength: 10,
    })
    await fc.assert(
      fc.asyncProperty(runs, async (plan) => {
        const daemon = new FakeDaemon((call, self) => {
          const [mutations, size] = plan[(call.serial - 1) % plan.length] ?? [[], 1]
          const bytes = framed({ serial: call.serial }, payloadOf('a reply of some length'))
          for (const { at, to } of mutations) if (at < bytes.length) bytes[at] = to
          for (let start = 0; start < bytes.length; start += size) self.raw(bytes.subarray(start, start + size))
        })
        const rpc = new Rpc(daemon.client)
        const results = await Promise.allSettled(plan.map(() => ask(rpc, 1, { timeoutMs: 50 })))
        for (const result of results) {
          if (result.status === 'fulfilled') continue
          assert.ok(result.reason instanceof ConnectionClosed || result.reason instanceof LibvirtError)
        }
        rpc.close(new ConnectionClosed('done'))
      }),
      { numRuns: 300 },
    )
  })
})
