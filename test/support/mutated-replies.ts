/**
 * Calls of every row of the tables to daemons that answer wrongly. Every case follows from its number and the seed, so
 * one that fails can be run alone. Whatever comes, each call must settle in time: with a value of the declared shape,
 * a `LibvirtError`, or `ConnectionClosed`.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Connect, ConnectionClosed, LibvirtError } from '../../src/libvirt/index.ts'
import type { Call, Row, Self } from '../../src/libvirt/methods.ts'
import { type Packet, STATUS, TYPE } from '../../src/libvirt/protocol.ts'
import { framed } from './fake-libvirt.ts'
import { HostileDaemon, keyOf, type Link } from './hostile-daemon.ts'
import { connectionTables, objectTables } from './libvirt-tables.ts'
import { type Frame, mutations, pieces } from './mutations.ts'
import { Random } from './random.ts'
import { argumentsFor, givenValue, mismatch, shapesOf, wireOf } from './wire-values.ts'

export type Outcome = 'value' | 'refused' | 'silence' | 'closed'

export interface Figures {
  /** Calls made. */
  readonly calls: number
  /** Times a connection was opened again. */
  readonly reopened: number
  readonly seconds: number
  /** Largest resident set while it ran, MiB. */
  readonly peakMib: number
  readonly outcomes: Readonly<Record<string, Readonly<Record<Outcome, number>>>>
}

export interface MutatedReplies {
  readonly seed: number
  /** Number of the first case. */
  readonly from: number
  readonly cases: number
  /** No further case is begun after this time. */
  readonly until?: number
}

/** Each has a daemon and a connection of its own, since a call that gets no answer waits. */
const LANES = 24
const BURST = 4
const WAIT_MS = 60
/** A call that has not settled by then hangs. */
const HANG_MS = 20_000
/** Not called here: they make up the opening and closing of connections. */
const OF_THE_SESSION = new Set(['AUTH_LIST', 'AUTH_POLKIT', 'CONNECT_OPEN', 'CONNECT_CLOSE'])

const targets: readonly { readonly row: Call; readonly codec: Self['codec'] | undefined }[] = [
  ...Object.values(objectTables).flatMap(({ methods, self }) =>
    Object.values(methods).map((row: Row) => ({ row, codec: self })),
  ),
  ...Object.values(connectionTables).flatMap((methods) =>
    Object.values(methods).map((row: Row) => ({ row, codec: undefined })),
  ),
].filter((target): target is { row: Call; codec: Self['codec'] | undefined } => {
  return target.row.kind === 'call' && !OF_THE_SESSION.has(target.row.name)
})

/** Numbers of the cases that were run are `from` to the returned `next` − 1. */
export async function runMutatedReplies(options: MutatedReplies): Promise<Figures & { readonly next: number }> {
  const started = performance.now()
  const tally = new Tally()
  const end = options.from + options.cases
  let next = options.from
  let peak = 0
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss())
  }, 50)
  const lane = async () => {
    await using daemon = await HostileDaemon.start()
    let connect = await Connect.open(daemon.uri)
    while (next < end && (options.until === undefined || Date.now() < options.until)) {
      const number = next++
      const isUsable = await runCase(number, options.seed, { connect, daemon }, tally)
      if (isUsable && connect.closed === undefined) continue
      daemon.plan = () => false
      daemon.drop()
      await within(untilClosed(connect), `connection after case ${number}`)
      connect = await Connect.open(daemon.uri)
      tally.reopened++
    }
    daemon.plan = () => false
    await connect.close()
  }
  try {
    await Promise.all(Array.from({ length: LANES }, lane))
  } finally {
    clearInterval(watch)
  }
  const seconds = (performance.now() - started) / 1000
  const { calls, reopened, outcomes } = tally
  const peakMib = Math.round(Math.max(peak, process.memoryUsage.rss()) / 2 ** 20)
  return { calls, reopened, seconds, peakMib, outcomes, next }
}

class Tally {
  calls = 0
  reopened = 0
  readonly outcomes: Record<string, Record<Outcome, number>> = {}

  add(mutation: string, outcome: Outcome): void {
    this.calls++
    const row = (this.outcomes[mutation] ??= { value: 0, refused: 0, silence: 0, closed: 0 })
    row[outcome]++
  }
}

/** Makes one to four calls at once and answers them wrongly; false when the connection is of no more use. */
async function runCase(
  number: number,
  seed: number,
  { connect, daemon }: { readonly connect: Connect; readonly daemon: HostileDaemon },
  tally: Tally,
): Promise<boolean> {
  const random = new Random(Math.imul(seed, 0x9e37_79b1) ^ Math.imul(number, 0x85eb_ca77))
  const mutation = random.pick(Object.keys(mutations))
  const first = targets[number % targets.length]
  const others = Array.from({ length: random.below(BURST) }, () => random.pick(targets))
  const chosen = first === undefined ? others : [first, ...others]
  daemon.plan = answerBurst(random, chosen, mutation)
  const calls = chosen.map(({ row, codec }) => {
    const self = codec === undefined ? undefined : { codec, value: givenValue(random, codec.shape) }
    return connect.invoke(row, { ...argumentsFor(random, row.args), timeoutMs: WAIT_MS }, self)
  })
  const what = `case ${number} of seed ${seed} (${mutation}, ${chosen.map(({ row }) => row.name).join(', ')})`
  const settled = await within(Promise.allSettled(calls), what)
  const outcomes = settled.map((result, i) => classify(result, chosen[i]?.row, what))
  for (const outcome of outcomes) tally.add(mutation, outcome)
  return !outcomes.includes('silence')
}

/** Collects the calls of a burst, then answers them all. What a method asks for after that is a burst of its own. */
function answerBurst(
  random: Random,
  chosen: readonly { readonly row: Row }[],
  mutation: string,
): (packet: Packet, link: Link) => boolean {
  let isAnswered = false
  let waiting: { readonly packet: Packet; readonly link: Link }[] = []
  const wanted = new Map(chosen.map(({ row }) => [keyOf(row), row]))
  return (packet, link) => {
    const row = wanted.get(keyOf(packet))
    if (packet.type !== TYPE.call || row === undefined) return false
    waiting.push({ packet, link })
    if (isAnswered || waiting.length === chosen.length) {
      isAnswered = true
      const honest = waiting.map(({ packet: call }, i) => honestFrame(random, call, wanted.get(keyOf(call)), i))
      const frames = mutations[mutation]?.(random, honest) ?? honest
      for (const frame of frames) sendTo(random, waiting[frame.call]?.link, frame.bytes)
      waiting = []
    }
    return true
  }
}

function honestFrame(random: Random, call: Packet, row: Row | undefined, index: number): Frame {
  const { bytes, counts } = wireOf(random, shapesOf(row?.result ?? {}))
  return { call: index, bytes: framed({ ...call, type: TYPE.reply, status: STATUS.ok }, bytes), counts }
}

function sendTo(random: Random, link: Link | undefined, bytes: Buffer): void {
  const parts = random.chance(0.1) && bytes.length < 10_000 ? pieces(random, bytes) : [bytes]
  for (const part of parts) link?.raw(part)
}

function classify(result: PromiseSettledResult<unknown>, row: Row | undefined, what: string): Outcome {
  if (result.status === 'fulfilled') {
    const problem = row === undefined ? 'no such call' : mismatch(row.result, result.value)
    if (problem !== undefined) throw new Error(`${what}: ${row?.name} gave ${problem}`)
    return 'value'
  }
  const reason: unknown = result.reason
  if (reason instanceof ConnectionClosed) return 'closed'
  if (!(reason instanceof LibvirtError)) throw new Error(`${what}: ${row?.name} failed otherwise`, { cause: reason })
  if (!reason.local) return 'refused'
  if (reason.is('operationTimeout')) return 'silence'
  throw new Error(`${what}: ${row?.name} was refused on this side`, { cause: reason })
}

async function untilClosed(connect: Connect): Promise<void> {
  while (connect.closed === undefined) await sleep(1)
}

async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  const late = new AbortController()
  const limit = sleep(HANG_MS, undefined, { signal: late.signal }).then(
    () => {
      throw new Error(`${what} has not settled within ${HANG_MS} ms`)
    },
    () => undefined as never,
  )
  try {
    return await Promise.race([promise, limit])
  } finally {
    late.abort()
  }
}
