/**
 * Streams of daemons that answer wrongly: the answer to the opening, or a packet of the stream. Whatever comes, the
 * opening settles, and the stream closes once its user leaves it, with no error that nobody could have caught.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import {
  Connect,
  ConnectionClosed,
  Domain,
  LibvirtError,
  type LibvirtStream,
  StorageVolume,
} from '../../src/libvirt/index.ts'
import { type Packet, STATUS, TYPE } from '../../src/libvirt/protocol.ts'
import { errorPayload, framed } from './fake-libvirt.ts'
import { HostileDaemon, type Link, words } from './hostile-daemon.ts'
import { type Frame, mutations, pieces } from './mutations.ts'
import { Random } from './random.ts'

export type StreamOutcome = 'not opened' | 'ended' | 'failed' | 'left'

/** Each has a daemon and a connection of its own. */
const LANES = 24
/** How long a user waits for more before leaving. */
const PATIENCE_MS = 60
/** What has not settled by then hangs; an abort alone waits two seconds for the daemon. */
const HANG_MS = 20_000
const PROCEDURES = { console: 201, screenshot: 211, upload: 208, download: 209 } as const
type Kind = keyof typeof PROCEDURES

export async function runMutatedStreams(seed: number, cases: number): Promise<Record<StreamOutcome, number>> {
  const tally: Record<StreamOutcome, number> = { 'not opened': 0, ended: 0, failed: 0, left: 0 }
  let next = 0
  const lane = async () => {
    await using daemon = await HostileDaemon.start()
    const connect = await Connect.open(daemon.uri)
    while (next < cases) {
      const number = next++
      const random = new Random(Math.imul(seed, 0x9e37_79b1) ^ Math.imul(number, 0x85eb_ca77))
      const outcome = runStream(random, connect, daemon)
      const late = sleep(HANG_MS, undefined, { ref: false })
      const settled = await Promise.race([outcome, late])
      if (settled === undefined) throw new Error(`stream ${number} of seed ${seed} has not settled`)
      tally[settled]++
    }
    daemon.plan = () => false
    await connect.close()
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  return tally
}

async function runStream(random: Random, connect: Connect, daemon: HostileDaemon): Promise<StreamOutcome> {
  const kind = random.pick(Object.keys(PROCEDURES) as Kind[])
  const whatIsWrong = random.pick(Object.keys(mutations))
  daemon.plan = (packet, link) => {
    if (packet.procedure !== PROCEDURES[kind]) return false
    if (packet.type === TYPE.call) answer(random, packet, link, kind, whatIsWrong)
    // Finishing and aborting are confirmed, refused, answered wrongly or not at all.
    else if (packet.status !== STATUS.continue) confirm(random, packet, link, whatIsWrong)
    return true
  }
  let stream: LibvirtStream
  try {
    stream = await open(connect, kind)
  } catch (error) {
    if (error instanceof ConnectionClosed || error instanceof LibvirtError) return 'not opened'
    throw error
  }
  return use(random, stream, kind, daemon)
}

async function open(connect: Connect, kind: Kind): Promise<LibvirtStream> {
  const volume = new StorageVolume(connect, { pool: 'p', name: 'v', key: 'k' })
  const domain = new Domain(connect, { name: 'd', uuid: '01234567-89ab-cdef-0123-456789abcdef', id: 1 })
  const limits = { timeoutMs: PATIENCE_MS }
  if (kind === 'upload') return volume.upload({ offset: 0n, length: 0n, flags: ['sparse'], ...limits })
  if (kind === 'download') return volume.download({ offset: 0n, length: 0n, flags: ['sparse'], ...limits })
  if (kind === 'console') return domain.openConsole(limits)
  return (await domain.screenshot({ screen: 0, ...limits })).stream
}

/** Reads and writes until the stream is over or the patience is. */
async function use(random: Random, stream: LibvirtStream, kind: Kind, daemon: HostileDaemon): Promise<StreamOutcome> {
  let outcome: StreamOutcome = 'left'
  const closed = new Promise<void>((resolve) => {
    if (stream.closed) resolve()
    else stream.once('close', resolve)
  })
  if (stream.errored !== null) outcome = 'failed'
  stream.on('error', () => {
    outcome = 'failed'
  })
  stream.on(kind === 'upload' ? 'finish' : 'end', () => {
    outcome = 'ended'
  })
  if (kind !== 'upload') stream.resume()
  if (kind === 'upload' || kind === 'console') {
    stream.write(Buffer.alloc(random.below(10_000)))
    if (random.chance(0.8)) stream.end()
  }
  const patience = new AbortController()
  await Promise.race([closed, sleep(PATIENCE_MS, undefined, { signal: patience.signal }).catch(() => {})])
  patience.abort()
  stream.destroy()
  // A daemon that does not confirm an abort costs two seconds each: mostly it leaves instead.
  if (random.chance(0.98)) await Promise.race([closed, sleep(5).then(() => leave(daemon))])
  await closed
  return outcome
}

/** Ends the connections of streams: all but the oldest, which is the one of the calls. */
function leave(daemon: HostileDaemon): void {
  for (const { socket } of [...daemon.links].slice(1)) socket.destroy()
}

function answer(random: Random, call: Packet, link: Link, kind: Kind, whatIsWrong: string): void {
  const reply = framed({ ...call, type: TYPE.reply, status: STATUS.ok }, kind === 'screenshot' ? words(0) : undefined)
  const packet = (payload: Buffer, header: Partial<Packet> = {}) =>
    framed({ ...call, type: TYPE.stream, status: STATUS.continue, ...header }, payload)
  const ends = [
    packet(Buffer.alloc(0)),
    packet(Buffer.alloc(0), { status: STATUS.ok }),
    packet(errorPayload(38, 'gone'), { status: STATUS.error }),
  ]
  const middle = Array.from({ length: random.below(4) }, () =>
    random.chance(0.3) ? packet(hole(random), { type: TYPE.hole }) : packet(random.bytes(random.below(5000))),
  )
  const last = kind === 'upload' && random.chance(0.7) ? [] : [random.pick(ends)]
  send(random, link, whatIsWrong, [reply, ...middle, ...last])
}

function confirm(random: Random, packet: Packet, link: Link, whatIsWrong: string): void {
  const chance = random.below(10)
  if (chance === 0) return
  const isRefused = chance === 1
  const status = isRefused ? STATUS.error : STATUS.ok
  const payload = isRefused ? errorPayload(38, 'not confirmed') : Buffer.alloc(0)
  send(random, link, chance < 8 ? 'none' : whatIsWrong, [framed({ ...packet, status }, payload)])
}

function send(random: Random, link: Link, whatIsWrong: string, honest: readonly Buffer[]): void {
  const frames: Frame[] = honest.map((bytes) => ({ call: 0, bytes, counts: [] }))
  const wrong = mutations[whatIsWrong]?.(random, frames) ?? frames
  const all = Buffer.concat(wrong.map(({ bytes }) => bytes))
  for (const part of random.chance(0.5) ? [all] : pieces(random, all)) link.raw(part)
}

function hole(random: Random): Buffer {
  const length = random.pick([0n, 1n, 100_000n, -1n])
  const bytes = Buffer.alloc(12)
  bytes.writeBigInt64BE(length, 0)
  return bytes
}
