/**
 * A real daemon killed at random moments in the middle of calls, streams and subscriptions: every promise settles, and
 * a new daemon at the same place works with the old references.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Connect, ConnectionClosed, Domain, StoragePool, StorageVolume } from '../../src/libvirt/index.ts'
import { guestXml } from '../support/guest-xml.ts'
import { type PrivateLibvirt, startPrivateLibvirt, withoutLibvirt } from '../support/private-libvirt.ts'
import { Random } from '../support/random.ts'

const MIB = 2 ** 20
const WHOLE = { offset: 0n, length: 0n }
const ROUNDS = 20
const RECONNECT_ROUNDS = 8
const CALLS = 50
const SEED = Number(process.env['VMPKG_TEST_SEED'] ?? 20_260_801)
/** What has not settled this long after it was begun hangs. */
const SETTLE_MS = 10_000

interface References {
  readonly domain: Domain
  readonly pool: StoragePool
  readonly volumes: readonly [StorageVolume, StorageVolume]
}

describe('a libvirt daemon that is killed', { skip: withoutLibvirt, timeout: 180_000 }, () => {
  const stray: unknown[] = []
  const note = (reason: unknown) => stray.push(reason)
  const random = new Random(SEED)
  let daemon: PrivateLibvirt
  let references: References
  before(async () => {
    process.on('unhandledRejection', note).on('uncaughtException', note).on('warning', note)
    daemon = await startPrivateLibvirt()
    await using connect = await Connect.open(daemon.uri())
    references = await furnish(connect, daemon)
  })
  after(async () => {
    process.off('unhandledRejection', note).off('uncaughtException', note).off('warning', note)
    await daemon?.stop()
    assert.deepEqual(stray, [])
  })

  test(`settles calls, streams and feeds in ${ROUNDS} rounds, and serves old references after each`, async (t) => {
    t.diagnostic(`seed ${SEED}`)
    const handles: number[] = []
    let slowestMs = 0
    for (let round = 0; round < ROUNDS; round++) {
      slowestMs = Math.max(slowestMs, await use(round))
      await daemon.restart()
      await using again = await Connect.open(daemon.uri())
      const domain = new Domain(again, references.domain)
      assert.match(await domain.getXMLDesc(), new RegExp(domain.uuid))
      assert.equal((await domain.getState()).state, 'paused')
      assert.match(await new StorageVolume(again, references.volumes[0]).getPath(), /up\.raw$/)
      await again.close()
      handles.push(openHandles())
    }
    t.diagnostic(`the slowest promise settled ${slowestMs.toFixed(0)} ms after its daemon's death`)
    assert.equal(handles.at(-1), handles[0], `handles after each round: ${handles.join(' ')}`)
  })

  test('goes on with reconnect: what was under way settles, the same feeds tell of what comes after', async () => {
    const gaps: string[] = []
    await using connect = await Connect.open(daemon.uri(), { reconnect: { firstDelayMs: 10, maxDelayMs: 100 } })
    for (let round = 0; round < RECONNECT_ROUNDS; round++) {
      const { feeds, streams, calls } = await begin(connect, references, () => gaps.push('gap'))
      const settled = [...streams, ...calls].map((one, i) => settleWithClosing(one, `promise ${i} of round ${round}`))
      await sleep(random.below(100))
      await daemon.kill()
      await Promise.all(settled)
      assert.equal(connect.closed, undefined)
      const meanwhile = connect.getHostname()
      await daemon.restart()
      assert.equal(typeof (await meanwhile), 'string')
      const pool = new StoragePool(connect, references.pool)
      if (!(await pool.isActive())) await pool.create()
      await pool.refresh()
      const domain = new Domain(connect, references.domain)
      await domain.resume()
      await domain.suspend()
      for (const feed of feeds) {
        assert.equal((await feed.next()).done, false)
        assert.equal(feed.gaps, 1)
        await feed.return()
      }
    }
    assert.equal(gaps.length, RECONNECT_ROUNDS * 2)
  })

  /** One life of the daemon: much is begun, then it dies. Returns how long the last promise took to settle, in ms. */
  async function use(round: number): Promise<number> {
    const connect = await Connect.open(daemon.uri())
    const { feeds, streams, calls } = await begin(connect, references)
    const iterations = feeds.map(async (feed) => {
      for await (const _ of feed) await sleep(0)
    })
    const settled = [...iterations, ...streams, ...calls].map((one, i) =>
      settleWithClosing(one, `promise ${i} of round ${round}`),
    )
    await sleep(random.below(150))
    const killed = performance.now()
    await daemon.kill()
    const settledAt = await Promise.all(settled)
    for (const feed of feeds) assert.equal((await feed.next()).done, true)
    assert.ok(connect.closed instanceof ConnectionClosed)
    await assert.rejects(new Domain(connect, references.domain).getInfo(), connect.closed)
    return Math.max(...settledAt) - killed
  }
})

/** Begins calls one after the other, streams in all directions and subscriptions, none of which ends by itself. */
async function begin(connect: Connect, references: References, onGap?: () => void) {
  const domain = new Domain(connect, references.domain)
  const pool = new StoragePool(connect, references.pool)
  const [target, source] = references.volumes.map((volume) => new StorageVolume(connect, volume))
  assert.ok(target && source)
  if (!(await pool.isActive())) await pool.create()
  const feeds = [connect.events('domain.lifecycle', { onGap }), connect.events('pool.refresh', { onGap })]
  await Promise.all(feeds.map((feed) => feed.ready))
  const [up, down, terminal] = await Promise.all([target.upload(WHOLE), source.download(WHOLE), domain.openConsole()])
  const { signal } = new AbortController()
  const streams: Promise<unknown>[] = [
    pipeline(endlessSource(), up),
    pipeline(down, slowSink()),
    once(terminal.resume(), 'end'),
  ]
  const calls = Array.from({ length: CALLS }, (_, i) => callForEver(connect, domain, i, signal))
  return { feeds, streams, calls }
}

/** Resolves with the time at which the promise was rejected because of the connection; whatever else it does is a failure. */
async function settleWithClosing(promise: Promise<unknown>, what: string): Promise<number> {
  const limit = sleep(SETTLE_MS, 'still pending', { ref: false })
  const reason = await Promise.race([promise.then(() => 'fulfilled'), limit]).catch((error: unknown) => error)
  assert.ok(reason instanceof ConnectionClosed, `${what}: ${String(reason)}`)
  return performance.now()
}

/** A running domain, and a pool with two large volumes. */
async function furnish(connect: Connect, daemon: PrivateLibvirt): Promise<References> {
  const path = await daemon.makeFolder('pool')
  const domain = await connect.domainDefineXML({ xml: guestXml({ name: 'killed' }) })
  await domain.create({ flags: ['paused'] })
  const pool = await connect.storagePoolDefineXML({
    xml: `<pool type='dir'><name>main</name><target><path>${path}</path></target></pool>`,
  })
  await pool.create()
  const make = (name: string) =>
    pool.storageVolCreateXML({
      xml: `<volume><name>${name}</name><capacity>${4096 * MIB}</capacity><allocation>0</allocation><target><format type='raw'/></target></volume>`,
    })
  return { domain, pool, volumes: [await make('up.raw'), await make('down.raw')] }
}

/** One call after the other until one fails. */
async function callForEver(connect: Connect, domain: Domain, kind: number, signal: AbortSignal): Promise<never> {
  for (;;) {
    if (kind % 4 === 0) await connect.getCapabilities({ signal })
    else if (kind % 4 === 1) await domain.getXMLDesc({ signal })
    else if (kind % 4 === 2) await connect.getAllDomainStats({ signal })
    else await connect.listAllStoragePools({ signal })
  }
}

function endlessSource(): Readable {
  const piece = Buffer.alloc(MIB, 'x')
  return new Readable({
    read() {
      setImmediate(() => this.push(piece))
    },
  })
}

function slowSink(): Writable {
  return new Writable({ write: (_piece, _encoding, done) => void setTimeout(done, 1) })
}

function openHandles(): number {
  return process.getActiveResourcesInfo().filter((name) => /Pipe|TCP|Timeout/.test(name)).length
}
