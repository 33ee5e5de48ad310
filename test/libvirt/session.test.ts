/** A connection that is lost: over, or opened anew; its second link; its dead peers. Real daemons, but for silence. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { string } from '../../src/libvirt/codecs.ts'
import { Connect } from '../../src/libvirt/connect.ts'
import { ConnectionClosed, LibvirtError } from '../../src/libvirt/error.ts'
import { STATUS, TYPE } from '../../src/libvirt/protocol.ts'
import { StorageVolume } from '../../src/libvirt/storage.ts'
import { Writer } from '../../src/libvirt/xdr.ts'
import { errorPayload } from '../support/fake-libvirt.ts'
import { guestXml } from '../support/guest-xml.ts'
import { HostileDaemon, type Link } from '../support/hostile-daemon.ts'
import { type PrivateLibvirt, startPrivateLibvirt, withoutLibvirt } from '../support/private-libvirt.ts'

const HOSTNAME = 59
const FIND_SOURCES = 75
function hostname(name: string): Buffer {
  const writer = new Writer()
  string.write(writer, name)
  return writer.bytes()
}

const transient = (name: string) =>
  `<domain type='test'><name>${name}</name><memory>8192</memory><os><type>hvm</type></os></domain>`

describe('a connection with reconnect', { skip: withoutLibvirt, timeout: 120_000 }, () => {
  let daemon: PrivateLibvirt
  beforeEach(async () => {
    daemon = await startPrivateLibvirt()
  })
  afterEach(async () => {
    await daemon.stop()
  })

  test('rejects what was under way, serves what is called meanwhile, and its feeds go on with a gap', async () => {
    const reconnect = { firstDelayMs: 20, maxDelayMs: 100 }
    await using connect = await Connect.open(daemon.uri('test:///default'), { reconnect })
    const gaps: string[] = []
    await using feed = connect.events('domain.lifecycle', { onGap: () => gaps.push('gap') })
    await using emitter = connect.emitter()
    const [lost, restored] = [once(emitter, 'lost'), once(emitter, 'restored')]
    await feed.ready
    const underWay = Promise.allSettled(Array.from({ length: 50 }, () => connect.getCapabilities()))
    await daemon.kill()
    const ends = await underWay
    assert.ok(ends.every((end) => end.status === 'fulfilled' || end.reason instanceof ConnectionClosed))
    await lost
    assert.deepEqual([connect.isConnected, connect.closed], [false, undefined])
    const meanwhile = connect.getHostname()
    await assert.rejects(
      connect.getHostname({ timeoutMs: 10 }),
      (error) => error instanceof LibvirtError && error.is('operationTimeout'),
    )
    await daemon.restart()
    assert.equal(typeof (await meanwhile), 'string')
    await restored
    assert.equal(connect.isConnected, true)
    const domain = await connect.domainCreateXML({ xml: transient('later') })
    const { value } = await feed.next()
    assert.deepEqual([value?.event, value?.domain.name], ['started', 'later'])
    assert.deepEqual([gaps, feed.gaps], [['gap'], 1])
    await domain.destroy()
  })

  test('gives up after the attempts it was given, with what was said last', async () => {
    const reconnect = { firstDelayMs: 5, attempts: 3 }
    const connect = await Connect.open(daemon.uri('test:///default'), { reconnect })
    const feed = connect.events('domain.lifecycle')
    await feed.ready
    const isGone = (error: unknown) => error instanceof ConnectionClosed && /not opened again/.test(error.message)
    const waiting = assert.rejects(feed.next(), isGone)
    await daemon.kill()
    await waiting
    await assert.rejects(connect.getHostname(), connect.closed)
    assert.ok(isGone(connect.closed))
  })

  test('can be closed while it is being opened anew', async () => {
    const connect = await Connect.open(daemon.uri('test:///default'), { reconnect: true })
    await daemon.kill()
    const waiting = assert.rejects(connect.getHostname(), ConnectionClosed)
    await connect.close()
    await waiting
    assert.equal(connect.isConnected, false)
  })

  test('without reconnect is over at once', async () => {
    const connect = await Connect.open(daemon.uri('test:///default'))
    const feed = connect.events('domain.lifecycle')
    await feed.ready
    const waiting = assert.rejects(feed.next(), ConnectionClosed)
    await daemon.kill()
    await waiting
    await daemon.restart()
    await assert.rejects(connect.getHostname(), connect.closed)
  })
})

describe('the links of a connection', { skip: withoutLibvirt, timeout: 120_000 }, () => {
  test('answer short calls while more long ones run than a daemon takes from one link', async () => {
    await using daemon = await startPrivateLibvirt()
    await using connect = await Connect.open(daemon.uri())
    const folder = await daemon.makeFolder('saves')
    const domains = await Promise.all(
      Array.from({ length: 6 }, (_, i) =>
        connect.domainCreateXML({ xml: guestXml({ name: `long${i}` }), flags: ['paused'] }),
      ),
    )
    const saves = domains.map((domain, i) => domain.save({ to: join(folder, `${i}`), flags: ['paused'] }))
    const order: string[] = []
    await Promise.all([
      ...saves.map((save) => save.then(() => order.push('saved'))),
      connect.getHostname().then(() => order.push('answered')),
    ])
    assert.equal(order[0], 'answered')
  })

  test('all end with it, streams included', async () => {
    await using daemon = await startPrivateLibvirt()
    const connect = await Connect.open(daemon.uri())
    const domain = await connect.domainCreateXML({ xml: guestXml({ name: 'talks' }), flags: ['paused'] })
    const console = await domain.openConsole()
    const ended = once(console, 'error')
    await connect.close()
    assert.deepEqual(await ended, [connect.closed])
    await using again = await Connect.open(daemon.uri())
    await (await again.domainLookupByName({ name: 'talks' })).destroy()
  })
})

describe('a modular daemon that lost one of those it asks', () => {
  const LOST = 'internal error: client socket is closed'
  async function brokenOnItsFirstLink() {
    const links = new Set<Link>()
    return HostileDaemon.start((packet, link) => {
      if (packet.type !== TYPE.call || packet.procedure !== HOSTNAME) return false
      links.add(link)
      if (links.size > 1) link.reply(packet, hostname('found'))
      else link.packet({ ...packet, type: TYPE.reply, status: STATUS.error }, errorPayload(1, LOST))
      return true
    })
  }

  test('is asked over a new connection with reconnect', async () => {
    await using daemon = await brokenOnItsFirstLink()
    await using connect = await Connect.open(daemon.uri, { reconnect: { firstDelayMs: 5 } })
    await assert.rejects(connect.getHostname(), (error) => error instanceof LibvirtError && error.message === LOST)
    assert.equal(await connect.getHostname(), 'found')
  })

  test('is asked over new links for long calls too', async () => {
    const links = new Set<Link>()
    await using daemon = await HostileDaemon.start((packet, link) => {
      if (packet.type !== TYPE.call || packet.procedure !== FIND_SOURCES) return false
      links.add(link)
      if (links.size > 1) link.reply(packet, hostname('<sources/>'))
      else link.packet({ ...packet, type: TYPE.reply, status: STATUS.error }, errorPayload(1, LOST))
      return true
    })
    await using connect = await Connect.open(daemon.uri, { reconnect: { firstDelayMs: 5 } })
    const find = () => connect.findStoragePoolSources({ type: 'logical' })
    await assert.rejects(find(), (error) => error instanceof LibvirtError && error.message === LOST)
    assert.equal(await find(), '<sources/>')
  })

  test('keeps a connection without reconnect, for what still works on it', async () => {
    await using daemon = await brokenOnItsFirstLink()
    await using connect = await Connect.open(daemon.uri)
    await assert.rejects(connect.getHostname(), LibvirtError)
    assert.equal(connect.closed, undefined)
    await assert.rejects(connect.getHostname(), LibvirtError)
  })
})

test('a stream whose link a silent daemon does not open ends with its time', async () => {
  let first: Link | undefined
  await using daemon = await HostileDaemon.start((_, link) => {
    first ??= link
    return link !== first
  })
  await using connect = await Connect.open(daemon.uri)
  const volume = new StorageVolume(connect, { pool: 'p', name: 'v', key: 'k' })
  const began = performance.now()
  await assert.rejects(
    volume.download({ offset: 0n, length: 0n, timeoutMs: 40 }),
    (error) => error instanceof LibvirtError && error.is('operationTimeout'),
  )
  assert.ok(performance.now() - began < 10_000, 'it waited for the limit of opening')
})

describe('keepalive', () => {
  test('finds a peer dead that answers no ping, and counts anything that comes as a sign of life', async () => {
    const path = join(tmpdir(), `vmpkg-silent-${process.pid}.sock`)
    const sockets: Socket[] = []
    const heard = { pings: 0 }
    let isSilent = false
    const server = createServer((socket) => {
      sockets.push(socket)
      socket.on('error', () => {})
      let bytes = Buffer.alloc(0)
      socket.on('data', (piece: Buffer) => {
        bytes = Buffer.concat([bytes, piece])
        while (bytes.length >= 4 && bytes.length >= bytes.readUInt32BE(0)) {
          const packet = Buffer.from(bytes.subarray(0, bytes.readUInt32BE(0)))
          bytes = bytes.subarray(packet.length)
          const isPing = packet.readUInt32BE(4) === 0x6b65_6570
          if (isPing) heard.pings++
          if (isSilent) continue
          if (isPing) packet.writeUInt32BE(2, 12)
          else packet.writeUInt32BE(1, 16) // a reply
          const isList = !isPing && packet.readUInt32BE(12) === 66
          const answer = Buffer.concat(
            [packet.subarray(0, 28), isPing ? '' : isList ? word(0) : featureOr(packet)].map((part) =>
              Buffer.from(part),
            ),
          )
          answer.writeUInt32BE(answer.length, 0)
          socket.write(answer)
        }
      })
    })
    await new Promise<void>((resolve) => server.listen(path, resolve))
    try {
      const keepalive = { intervalMs: 20, count: 2 }
      const connect = await Connect.open(`test:///default?socket=${path}`, { keepalive })
      const feed = connect.emitter()
      const closed = once(feed, 'closed')
      while (heard.pings < 6) await new Promise((resolve) => setTimeout(resolve, 5))
      assert.equal(connect.closed, undefined)
      isSilent = true
      const [reason] = (await closed) as [ConnectionClosed]
      assert.match(reason.message, /no sign of life for 0\.06 s, 2 pings unanswered/)
    } finally {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
      await rm(path, { force: true })
    }
  })
})

const word = (value: number) => Buffer.from([0, 0, 0, value])
/** SUPPORTS_FEATURE has a result of one word, the others asked here have none. */
const featureOr = (packet: Buffer) => (packet.readUInt32BE(12) === 60 ? word(1) : Buffer.alloc(0))
