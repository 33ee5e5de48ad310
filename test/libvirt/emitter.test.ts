/** Events as an emitter, and what becomes of a connection that is lost, against a real session daemon. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Connect } from '../../src/libvirt/connect.ts'
import { LibvirtError } from '../../src/libvirt/error.ts'
import type { EventName } from '../../src/libvirt/events.ts'
import { type PrivateLibvirt, startPrivateLibvirt, withoutLibvirt } from '../support/private-libvirt.ts'

const transient = (name: string) =>
  `<domain type='test'><name>${name}</name><memory>8192</memory><os><type>hvm</type></os></domain>`

/** Registers as soon as the daemon has let go of who had it: it is told, but nobody waits for its answer. */
async function registers(connect: Connect, name: EventName): Promise<void> {
  for (const deadline = Date.now() + 5000; ; await sleep(5)) {
    await using feed = connect.events(name)
    try {
      return await feed.ready
    } catch (error) {
      if (Date.now() > deadline) throw error
    }
  }
}

describe('LibvirtEmitter', { skip: withoutLibvirt, timeout: 60_000 }, () => {
  let daemon: PrivateLibvirt
  let connect: Connect
  before(async () => {
    daemon = await startPrivateLibvirt()
    connect = await Connect.open(daemon.uri('test:///default'))
  })
  after(async () => {
    await connect?.close()
    await daemon?.stop()
  })

  test('tells every listener of a name, and once only those that asked for it', async () => {
    await using emitter = connect.emitter()
    const told: string[] = []
    emitter.on('domain.lifecycle', ({ domain, event }) => told.push(`${domain.name} ${event}`))
    emitter.once('domain.lifecycle', ({ event }) => told.push(`once ${event}`))
    const stopped = new Promise<void>((resolve) => {
      emitter.on('domain.lifecycle', ({ event }) => {
        if (event === 'stopped') resolve()
      })
    })
    await emitter.ready()
    const domain = await connect.domainCreateXML({ xml: transient('told') })
    await domain.destroy()
    await stopped
    assert.deepEqual(told, ['told started', 'once started', 'told stopped'])
  })

  test('registers with the first listener and lets go with the last, so that another may register', async () => {
    await using emitter = connect.emitter()
    const listener = () => {}
    emitter.on('pool.lifecycle', listener)
    await emitter.ready()
    await assert.rejects(connect.events('pool.lifecycle').next(), LibvirtError)
    emitter.off('pool.lifecycle', listener)
    await registers(connect, 'pool.lifecycle')
  })

  test('gives a refused registration to the error listener', async () => {
    await using taken = connect.events('network.lifecycle')
    await taken.ready
    await using emitter = connect.emitter()
    const failed = once(emitter, 'error')
    emitter.on('network.lifecycle', () => {})
    const [error] = (await failed) as [unknown]
    assert.ok(error instanceof LibvirtError && error.is('invalidArg'))
  })

  test('ends with its signal', async () => {
    const stop = new AbortController()
    const emitter = connect.emitter({ signal: stop.signal })
    emitter.on('domain.tunable', () => {})
    await emitter.ready()
    stop.abort()
    await registers(connect, 'domain.tunable')
  })

  test('says when the connection is over', async () => {
    const own = await Connect.open(daemon.uri('test:///default'))
    await using emitter = own.emitter()
    const closed = once(emitter, 'closed')
    await own.close()
    assert.deepEqual(await closed, [own.closed])
  })
})
