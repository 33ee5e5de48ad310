/** What the hostile daemon once could do, each case found by fuzzing, and streams that are mutated at random. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { Connect, ConnectionClosed, LibvirtError, StorageVolume } from '../../src/libvirt/index.ts'
import { KEEPALIVE, type Packet, PROGRAM, STATUS, TYPE } from '../../src/libvirt/protocol.ts'
import { errorPayload, framed } from '../support/fake-libvirt.ts'
import { HostileDaemon, type Link, words } from '../support/hostile-daemon.ts'
import { heldMib, watchMemory } from '../support/memory.ts'
import { runMutatedStreams } from '../support/mutated-streams.ts'

const SEED = Number(process.env['VMPKG_TEST_SEED'] ?? 20261125)
const DOWNLOAD = 209
const REGISTER = 316
const MEMORY_DEVICE_SIZE = 438
const identity = { pool: 'p', name: 'v', key: 'k' }
const whole = { offset: 0n, length: 0n }

async function openTo(procedure: number, act: (call: Packet, link: Link) => void) {
  const daemon = await HostileDaemon.start((packet, link) => {
    if (packet.procedure !== procedure || packet.type !== TYPE.call) return false
    act(packet, link)
    return true
  })
  return { daemon, connect: await Connect.open(daemon.uri) }
}

describe('a hostile daemon', { timeout: 120_000 }, () => {
  test('a daemon that leaves while a stream is opened rejects the opening, and nothing else', async () => {
    const { daemon, connect } = await openTo(DOWNLOAD, (_, link) => link.socket.destroy())
    await assert.rejects(new StorageVolume(connect, identity).download(whole), ConnectionClosed)
    await sleep(20)
    await connect.close()
    await daemon[Symbol.asyncDispose]()
  })

  test('an opening that is never answered ends with its time, and nothing else', async () => {
    const { daemon, connect } = await openTo(DOWNLOAD, () => {})
    await assert.rejects(
      new StorageVolume(connect, identity).download({ ...whole, timeoutMs: 30 }),
      (error) => error instanceof LibvirtError && error.is('operationTimeout'),
    )
    await sleep(20)
    await connect.close()
    await daemon[Symbol.asyncDispose]()
  })

  test('a failure right behind the answer waits until the program has the stream', async () => {
    const { daemon, connect } = await openTo(DOWNLOAD, (call, link) => {
      link.raw(
        Buffer.concat([
          framed({ ...call, type: TYPE.reply }),
          framed({ ...call, type: TYPE.stream, status: STATUS.error }, errorPayload(38, 'no such file')),
        ]),
      )
    })
    const reading = (async () => {
      for await (const _ of await new StorageVolume(connect, identity).download(whole));
    })()
    await assert.rejects(reading, (error) => error instanceof LibvirtError && error.is('systemError'))
    await connect.close()
    await daemon[Symbol.asyncDispose]()
  })

  for (const way of ['data', 'resume', 'for await'])
    test(`timers run while a hole of 2^40 bytes flows into a reader that is always ready (${way})`, async () => {
      const worker = new Worker(new URL('./children/hole-reader.ts', import.meta.url), { workerData: way })
      const [message] = await Promise.race([once(worker, 'message'), sleep(8000, ['hangs'])])
      await worker.terminate()
      assert.equal(message, 'a timer ran')
    })

  for (const [title, early] of [
    ['large events that nobody reads end their feed before they fill the memory', false],
    ['large events that overtake their registration do not fill the memory', true],
  ] as const)
    test(title, async () => {
      let answer = () => {}
      const { daemon, connect } = await openTo(REGISTER, (call, link) => {
        answer = () => link.reply(call, words(0))
        if (!early) answer()
      })
      const [link] = daemon.links
      const feed = connect.events('domain.memoryDeviceSize')
      if (early) while (link?.socket.bytesRead === 0) await sleep(1)
      else await feed.ready
      await sleep(50)
      const text = Buffer.alloc(4_000_000, 'x')
      const event = Buffer.concat([words(0, 0), Buffer.alloc(16), words(-1, text.length), text, words(0, 1)])
      const before = heldMib()
      await link?.flood(framed({ procedure: MEMORY_DEVICE_SIZE, type: TYPE.message, serial: 0 }, event), 100)
      await connect.isSecure()
      const held = heldMib() - before
      answer()
      await connect.close()
      await daemon[Symbol.asyncDispose]()
      assert.ok(held < 128, `${held} MiB held`)
    })

  test('pings of a daemon that reads nothing do not fill the memory with answers', async () => {
    await using daemon = await HostileDaemon.start()
    const connect = await Connect.open(daemon.uri)
    const [link] = daemon.links
    link?.socket.pause()
    const ping = framed({ program: PROGRAM.keepalive, procedure: KEEPALIVE.ping, type: TYPE.message, serial: 0 })
    const before = heldMib()
    const grown = watchMemory()
    const pings = Buffer.concat(Array.from({ length: 1000 }, () => ping))
    await Promise.race([link?.flood(pings, 300), sleep(10_000)])
    await sleep(500)
    const held = heldMib() - before
    daemon.drop()
    assert.ok(held < 32, `${held} MiB held, ${grown()} MiB grown`)
    await connect.close()
  })

  test('timeoutMs bounds an opening also when the daemon asks polkit', async () => {
    await using daemon = await HostileDaemon.start((packet, link) => {
      if (packet.type === TYPE.call && packet.procedure === 66) link.reply(packet, words(1, 2))
      return packet.procedure === 66 || packet.procedure === 70
    })
    const opening = Connect.open(daemon.uri, { timeoutMs: 50 }).catch((error: unknown) => error)
    const got = await Promise.race([opening, sleep(1000, 'still waiting')])
    daemon.drop()
    assert.ok(got instanceof LibvirtError, String(got))
  })

  test('an answer that names another procedure is not taken for this one', async () => {
    const { daemon, connect } = await openTo(59, (call, link) =>
      link.packet({ ...call, procedure: 60, type: TYPE.reply }, words(0)),
    )
    await assert.rejects(connect.getHostname(), ConnectionClosed)
    await daemon[Symbol.asyncDispose]()
  })

  test('data before the answer to the opening does not keep the answer away', async () => {
    const { daemon, connect } = await openTo(DOWNLOAD, (call, link) => {
      const piece = framed({ ...call, type: TYPE.stream, status: STATUS.continue }, Buffer.alloc(250_000))
      for (let i = 0; i < 20; i++) link.raw(piece)
      link.reply(call)
    })
    const opening = new StorageVolume(connect, identity).download(whole).catch((error: unknown) => error)
    const got = await Promise.race([opening, sleep(2000, 'still waiting')])
    daemon.drop()
    await daemon[Symbol.asyncDispose]()
    assert.notEqual(got, 'still waiting')
  })

  test('gets no stream to hang, to stay open or to fail where nobody listens, in 2000 that are mutated', async (t) => {
    const tally = await runMutatedStreams(SEED, 2000)
    t.diagnostic(`seed ${SEED}: ${JSON.stringify(tally)}`)
    for (const outcome of ['not opened', 'ended', 'failed'] as const) assert.ok(tally[outcome] > 0, `no ${outcome}`)
  })
})
