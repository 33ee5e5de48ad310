/** Events that come at awkward moments, from a peer in this process; with real daemons in connect.test.ts. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { i32, struct } from '../../src/libvirt/codecs.ts'
import { ConnectionClosed, LibvirtError } from '../../src/libvirt/error.ts'
import { EventFeed, EventRouter } from '../../src/libvirt/event-feed.ts'
import type { EventRow } from '../../src/libvirt/events.ts'
import { type Packet, PROGRAM, STATUS, TYPE } from '../../src/libvirt/protocol.ts'
import type { Binder } from '../../src/libvirt/references.ts'
import { MalformedPacket, Writer } from '../../src/libvirt/xdr.ts'

const row: EventRow<'domain', { readonly value: number }> = {
  kind: 'domain',
  program: PROGRAM.remote,
  procedure: 900,
  id: 0,
  since: '0.8.0',
  codec: struct({ value: i32 }),
}
/** The events here hold no references. */
const binder = {} as Binder

function eventPacket(callbackId: number, ...words: number[]): Packet {
  const writer = new Writer()
  for (const word of [callbackId, ...words]) writer.i32(word)
  return {
    program: PROGRAM.remote,
    procedure: row.procedure,
    type: TYPE.message,
    serial: 0,
    status: STATUS.ok,
    payload: writer.bytes(),
  }
}

/** A feed whose registration is answered by calling `answer`. */
function feedOn(router: EventRouter, signal?: AbortSignal) {
  const registration = Promise.withResolvers<number>()
  const deregistered: number[] = []
  const feed = new EventFeed(
    row,
    {
      binder,
      register: (deliver) => router.register(row, deliver, () => registration.promise),
      deregister: async (callbackId) => {
        router.forget(row, callbackId)
        deregistered.push(callbackId)
      },
      onEnd: () => {},
      onGap: () => {},
    },
    signal,
  )
  return { feed, deregistered, answer: registration.resolve, refuse: registration.reject }
}

describe('EventFeed', () => {
  test('keeps events that overtake the reply to their registration', async () => {
    const router = new EventRouter()
    const { feed, answer } = feedOn(router)
    router.receive(eventPacket(7, 1))
    router.receive(eventPacket(8, 99))
    answer(7)
    await feed.ready
    router.receive(eventPacket(7, 2))
    assert.deepEqual([(await feed.next()).value, (await feed.next()).value], [{ value: 1 }, { value: 2 }])
  })

  test('serves readers in order and drops what comes for nobody', async () => {
    const router = new EventRouter()
    const { feed, answer, deregistered } = feedOn(router)
    answer(1)
    await feed.ready
    const both = Promise.all([feed.next(), feed.next()])
    router.receive(eventPacket(1, 10))
    router.receive(eventPacket(1, 11))
    assert.deepEqual(
      (await both).map((result) => result.value),
      [{ value: 10 }, { value: 11 }],
    )
    await feed.return()
    router.receive(eventPacket(1, 12))
    assert.deepEqual(await feed.next(), { done: true, value: undefined })
    assert.deepEqual(deregistered, [1])
  })

  test('ends with an error rather than let its queue grow without end', async () => {
    const router = new EventRouter()
    const { feed, answer, deregistered } = feedOn(router)
    answer(1)
    await feed.ready
    for (let i = 0; i <= 10_000; i++) router.receive(eventPacket(1, i))
    for (let i = 0; i < 10_000; i++) assert.equal((await feed.next()).value?.value, i)
    await assert.rejects(feed.next(), (error) => error instanceof LibvirtError && error.is('overflow'))
    assert.deepEqual(deregistered, [1])
  })

  test('throws why it could not register, once', async () => {
    const { feed, refuse } = feedOn(new EventRouter())
    refuse(new ConnectionClosed('gone'))
    await assert.rejects(feed.ready, ConnectionClosed)
    await assert.rejects(feed.next(), ConnectionClosed)
    assert.equal((await feed.next()).done, true)
  })

  test('deregisters also when it ends before it was registered', async () => {
    const router = new EventRouter()
    const { feed, answer, deregistered } = feedOn(router, AbortSignal.abort(new Error('enough')))
    answer(3)
    await feed.ready
    await assert.rejects(feed.next(), /enough/)
    assert.deepEqual(deregistered, [3])
  })

  test('registers again after its connection was lost, tells of the gap, and goes on', async () => {
    const { feed, answer } = feedOn(new EventRouter())
    answer(7)
    await feed.ready
    feed.lost()
    const next = new EventRouter()
    await feed.renew((deliver) => next.register(row, deliver, async () => 3))
    next.receive(eventPacket(3, 5))
    assert.deepEqual([(await feed.next()).value, feed.gaps], [{ value: 5 }, 1])
  })

  test('does not register twice when the connection was lost before its first registration stood', async () => {
    const { feed, answer } = feedOn(new EventRouter())
    feed.lost()
    await feed.renew(() => assert.fail('registered again'))
    answer(1)
    await feed.ready
    assert.equal(feed.gaps, 0)
  })

  test('takes no number of a lost connection to the next one when it ends in between', async () => {
    const { feed, answer, deregistered } = feedOn(new EventRouter())
    answer(7)
    await feed.ready
    feed.lost()
    await feed.return()
    await feed.renew(() => assert.fail('registered again'))
    assert.deepEqual(deregistered, [])
  })

  test('lets go of a renewed registration that came after its end', async () => {
    const { feed, answer, deregistered } = feedOn(new EventRouter())
    answer(7)
    await feed.ready
    feed.lost()
    const registration = Promise.withResolvers<number>()
    const renewed = feed.renew(() => registration.promise)
    await feed.return()
    registration.resolve(4)
    await renewed
    assert.deepEqual(deregistered, [4])
  })

  test('takes an event that is cut or too long for a broken protocol', async () => {
    const router = new EventRouter()
    const { feed, answer } = feedOn(router)
    answer(1)
    await feed.ready
    assert.throws(() => router.receive(eventPacket(1)), MalformedPacket)
    assert.throws(() => router.receive(eventPacket(1, 1, 2)), MalformedPacket)
    assert.throws(() => router.receive({ ...eventPacket(1), payload: Buffer.alloc(2) }), MalformedPacket)
  })
})
