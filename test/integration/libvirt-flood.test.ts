/** The libvirt client against daemons that send more than anybody reads, or a stream that does not end as it should. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Connect, ConnectionClosed, LibvirtError, type LibvirtStream, StorageVolume } from '../../src/libvirt/index.ts'
import { KEEPALIVE, type Packet, PROGRAM, STATUS, TYPE } from '../../src/libvirt/protocol.ts'
import { Writer } from '../../src/libvirt/xdr.ts'
import { framed } from '../support/fake-libvirt.ts'
import { HostileDaemon, type Link, words } from '../support/hostile-daemon.ts'
import { watchMemory } from '../support/memory.ts'

const LIFECYCLE = 318
const REGISTER = 316
const UPLOAD = 208
const DOWNLOAD = 209
const MIB = 2 ** 20
const whole = { offset: 0n, length: 0n }

/** A lifecycle event of a domain without a name, for a registration. */
function lifecycle(callbackId: number): Buffer {
  const domain = [words(0), Buffer.alloc(16), words(-1)]
  const payload = Buffer.concat([words(callbackId), ...domain, words(2, 0)])
  return framed({ procedure: LIFECYCLE, type: TYPE.message, serial: 0 }, payload)
}

function hole(length: bigint): Buffer {
  const writer = new Writer()
  writer.i64(length)
  writer.u32(0)
  return Buffer.from(writer.bytes())
}

/** What the daemon does once it has opened a stream; `packet` is the call. */
type Stream = (packet: Packet, link: Link) => void

async function openStream(procedure: number, act: Stream, later: (packet: Packet, link: Link) => boolean) {
  const daemon = await HostileDaemon.start((packet, link) => {
    if (packet.procedure !== procedure) return false
    if (packet.type !== TYPE.call) return later(packet, link)
    link.reply(packet)
    // In a turn of its own, so that the program has the stream before anything comes.
    setTimeout(() => act(packet, link), 20)
    return true
  })
  const connect = await Connect.open(daemon.uri)
  const vol = new StorageVolume(connect, { pool: 'p', name: 'v', key: 'k' })
  const stream = await (procedure === UPLOAD ? vol.upload(whole) : vol.download(whole))
  return {
    daemon,
    connect,
    stream,
    async [Symbol.asyncDispose]() {
      await stream[Symbol.asyncDispose]()
      await connect.close()
      await daemon[Symbol.asyncDispose]()
    },
  }
}

const data = (call: Packet, bytes: Uint8Array) => framed({ ...call, type: TYPE.stream, status: STATUS.continue }, bytes)

/** Sink that takes its time: each piece waits for the event loop. */
function slowSink(onBytes: (bytes: number) => void): Writable {
  return new Writable({
    write(piece: Buffer, _encoding, done) {
      onBytes(piece.length)
      setImmediate(done)
    },
  })
}

describe('a libvirt daemon that floods', { timeout: 60_000 }, () => {
  const stray: unknown[] = []
  const note = (reason: unknown) => stray.push(reason)
  before(() => process.on('unhandledRejection', note).on('uncaughtException', note))
  after(() => {
    process.off('unhandledRejection', note).off('uncaughtException', note)
    assert.deepEqual(stray, [])
  })

  test('100,000 events that nobody reads end their feed with overflow; calls go on, memory is bounded', async (t) => {
    await using daemon = await HostileDaemon.start()
    await using connect = await Connect.open(daemon.uri)
    const feed = connect.events('domain.lifecycle')
    const other = connect.events('domain.reboot')
    await Promise.all([feed.ready, other.ready])
    const [link] = [...daemon.links].filter(({ callbacks }) => callbacks > 0)
    assert.ok(link)
    const grown = watchMemory()
    const flooding = link.flood(lifecycle(0), 100_000)
    for (let calls = 0; calls < 20; calls++)
      assert.equal(typeof (await connect.isSecure({ timeoutMs: 5000 })), 'boolean')
    await flooding
    assert.equal(typeof (await connect.isSecure({ timeoutMs: 5000 })), 'boolean')
    let read = 0
    const counting = (async () => {
      for await (const _ of feed) read++
    })()
    await assert.rejects(counting, (error) => error instanceof LibvirtError && error.is('overflow') && error.local)
    t.diagnostic(`${read} events read, grown by ${grown().toFixed(0)} MiB`)
    assert.ok(read <= 10_000 && grown() < 150)
    await other.return()
  })

  test('100,000 events of no registration are dropped, also while one is under way', async () => {
    const answers: (() => void)[] = []
    await using daemon = await HostileDaemon.start((packet, link) => {
      if (packet.procedure !== REGISTER) return false
      answers.push(() => link.reply(packet, words(7)))
      return true
    })
    await using connect = await Connect.open(daemon.uri)
    const [link] = daemon.links
    assert.ok(link)
    const grown = watchMemory()
    await link.flood(lifecycle(3), 50_000)
    const feed = connect.events('domain.lifecycle')
    while (answers.length === 0) await sleep(1)
    await link.flood(lifecycle(3), 50_000)
    for (const answer of answers) answer()
    await feed.ready
    link.raw(lifecycle(7))
    assert.equal((await feed.next()).value?.event, 'started')
    assert.ok(grown() < 150)
    daemon.plan = () => false
    await feed.return()
  })

  test('events that are not the protocol end the connection, and every feed with it', async () => {
    await using daemon = await HostileDaemon.start()
    await using connect = await Connect.open(daemon.uri)
    const feeds = [connect.events('domain.lifecycle'), connect.events('pool.refresh')]
    await Promise.all(feeds.map((feed) => feed.ready))
    const waiting = feeds.map((feed) => feed.next())
    for (const link of daemon.links) link.raw(lifecycle(0).fill(0xff, 32))
    for (const one of waiting) await assert.rejects(one, ConnectionClosed)
    assert.match(`${connect.closed}`, /malformed packet/)
  })

  test('pings are answered as long as the daemon reads, and calls go on between them', async () => {
    await using daemon = await HostileDaemon.start()
    await using connect = await Connect.open(daemon.uri)
    const [link] = daemon.links
    assert.ok(link)
    const ping = framed({ program: PROGRAM.keepalive, procedure: KEEPALIVE.ping, type: TYPE.message, serial: 0 })
    const flooding = link.flood(ping, 20_000)
    assert.equal(typeof (await connect.isSecure({ timeoutMs: 5000 })), 'boolean')
    await flooding
  })

  test('a reader that pauses pauses the daemon: no more than the marks of both sides is held', async (t) => {
    const sent = { bytes: 0 }
    let socket: Link['socket'] | undefined
    await using opened = await openStream(
      DOWNLOAD,
      (call, link) => {
        socket = link.socket
        const piece = data(call, Buffer.alloc(65_536, 'x'))
        const more = () => {
          while (!link.socket.destroyed && link.raw(piece)) sent.bytes += piece.length
          sent.bytes += piece.length
          link.socket.once('drain', more)
        }
        more()
      },
      () => false,
    )
    const { stream } = opened
    await once(stream, 'readable')
    const grown = watchMemory()
    let sentBefore = -1
    while (sentBefore !== sent.bytes) {
      sentBefore = sent.bytes
      await sleep(100)
    }
    const taken = sent.bytes - (socket?.writableLength ?? 0)
    t.diagnostic(`${(taken / MIB).toFixed(1)} MiB taken, grown by ${grown().toFixed(0)} MiB`)
    assert.ok(taken < 4 * MIB, `${taken} bytes taken`)
    assert.ok(grown() < 64)
    assert.equal(typeof (await opened.connect.isSecure({ timeoutMs: 5000 })), 'boolean')
  })

  test('a download that never confirms its end is aborted by its reader, within seconds', async () => {
    await using opened = await openStream(
      DOWNLOAD,
      (call, link) => {
        link.raw(data(call, Buffer.from('all there is')))
        link.raw(data(call, Buffer.alloc(0)))
      },
      () => true,
    )
    let text = ''
    const reading = pipeline(
      opened.stream,
      new Writable({
        write(piece: Buffer, _encoding, done) {
          text += piece.toString()
          done()
        },
      }),
      { signal: AbortSignal.timeout(100) },
    )
    await assert.rejects(reading, { name: 'AbortError' })
    assert.equal(text, 'all there is')
    await closed(opened.stream)
  })

  test('an upload that is never confirmed does not finish, and can be aborted', async () => {
    await using opened = await openStream(
      UPLOAD,
      () => {},
      () => true,
    )
    const { stream } = opened
    let isFinished = false
    stream.on('finish', () => {
      isFinished = true
    })
    stream.end('bytes')
    await sleep(100)
    assert.equal(isFinished, false)
    stream.destroy()
    await closed(stream)
    assert.equal(isFinished, false)
  })

  test('an upload to a daemon that stops reading waits, and can be aborted', async () => {
    await using opened = await openStream(
      UPLOAD,
      (_, link) => link.socket.pause(),
      () => true,
    )
    const { stream } = opened
    await sleep(50)
    let written = 0
    while (stream.write(Buffer.alloc(MIB))) {
      written++
      await sleep(0)
    }
    assert.ok(written < 16, `${written} MiB written`)
    stream.destroy()
    await closed(stream)
  })

  for (const bits of [40n, 62n])
    test(`a hole of 2^${bits} bytes is not expanded ahead of its reader, and can be left`, async (t) => {
      const grown = watchMemory()
      await using opened = await openStream(
        DOWNLOAD,
        (call, link) => link.packet({ ...call, type: TYPE.hole, status: STATUS.continue }, hole(2n ** bits)),
        () => false,
      )
      let bytes = 0
      const stop = new AbortController()
      const sink = slowSink((count) => {
        bytes += count
        if (bytes >= 20 * MIB) stop.abort()
      })
      // What no file can have may also be refused.
      const isRefusal = (error: unknown) =>
        bits > 53n && error instanceof ConnectionClosed && /hole/.test(error.message)
      await assert.rejects(
        pipeline(opened.stream, sink, { signal: stop.signal }),
        (error) => isRefusal(error) || (error instanceof Error && error.name === 'AbortError'),
      )
      t.diagnostic(`${bytes / MIB} MiB of zeros read, grown by ${grown().toFixed(0)} MiB`)
      assert.ok(grown() < 100)
      await closed(opened.stream)
    })

  for (const [what, payload] of Object.entries({
    'a negative hole': hole(-1n),
    'a hole with bytes too many': Buffer.concat([hole(1n), words(0)]),
    'half a hole': hole(1n).subarray(0, 5),
  }))
    test(`${what} ends the stream's connection, and no other`, async () => {
      await using opened = await openStream(
        DOWNLOAD,
        (call, link) => link.packet({ ...call, type: TYPE.hole, status: STATUS.continue }, payload),
        () => false,
      )
      const error = await failureOf(opened.stream)
      assert.ok(error instanceof ConnectionClosed)
      assert.match(error.message, /malformed packet: hole/)
      assert.equal(typeof (await opened.connect.isSecure()), 'boolean')
    })

  test('data behind the end of a stream is not handed on', async () => {
    await using opened = await openStream(
      DOWNLOAD,
      (call, link) => {
        link.raw(data(call, Buffer.from('before')))
        link.packet({ ...call, type: TYPE.stream, status: STATUS.ok })
        link.raw(data(call, Buffer.from('behind')))
      },
      () => false,
    )
    let text = ''
    for await (const piece of opened.stream) text += (piece as Buffer).toString()
    assert.equal(text, 'before')
  })

  test('hostile failures of a stream arrive as its error', async () => {
    await using opened = await openStream(
      DOWNLOAD,
      (call, link) => link.packet({ ...call, type: TYPE.stream, status: STATUS.error }, words(1, 2, 3)),
      () => false,
    )
    assert.ok((await failureOf(opened.stream)) instanceof ConnectionClosed)
  })

  test('a call of the connection is answered while its stream has been silent for ever', async () => {
    await using opened = await openStream(
      DOWNLOAD,
      () => {},
      () => true,
    )
    const reading = once(opened.stream, 'readable', { signal: AbortSignal.timeout(50) })
    await assert.rejects(reading, { name: 'AbortError' })
    assert.equal(typeof (await opened.connect.getHostname({ timeoutMs: 5000 })), 'string')
  })
})

async function closed(stream: LibvirtStream): Promise<void> {
  const started = Date.now()
  if (!stream.closed) await once(stream, 'close', { signal: AbortSignal.timeout(5000) })
  assert.ok(Date.now() - started < 5000)
}

async function failureOf(stream: LibvirtStream): Promise<unknown> {
  stream.resume()
  const [error] = (await once(stream, 'error', { signal: AbortSignal.timeout(5000) })) as unknown[]
  return error
}
