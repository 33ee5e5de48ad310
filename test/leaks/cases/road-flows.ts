/** What goes through the tunnel of anna, who comes in by OpenVPN and reaches client A: packets there and back, and one connection that goes on. */
import { dissect } from '../../support/leak-lab/dissect.ts'
import { FLAG, icmp, ping, tcp, udp } from '../../support/leak-lab/frames.ts'
import { CLIENTS, type TapName } from '../../support/leak-lab/lab.ts'
import type { Bench, Sight } from '../../support/leak-lab/leak-case.ts'
import type { Seen } from '../../support/leak-lab/oracle.ts'
import { fromClient, fromTunnel } from '../../support/leak-lab/places.ts'

export const ANNA = '10.8.1.2'
export const BERT = '10.8.1.3'
export const A = CLIENTS.a.address
export const B = CLIENTS.b.address

/** Of the client of OpenVPN. */
export const fromAnna = (target: string, source = ANNA) => fromTunnel(source, target)

export type Kind = 'udp' | 'tcp' | 'ping'
export const KINDS: readonly Kind[] = ['udp', 'tcp', 'ping']

/** @param port the client's */
export async function roundTrip(bench: Bench, kind: Kind, port = 7600): Promise<readonly string[]> {
  const token = bench.token('tunnel', `${kind} in`, ['lan', 'a'])
  const ports = [port, 80] as const
  await bench.send('tunnel', kind === 'ping' ? ping(fromAnna(A), token) : { udp, tcp }[kind](fromAnna(A), ports, token))
  const seen = await bench.see('a', token)
  if (seen?.ip === undefined) return [`${kind} does not get to the machine`]
  if (seen.ip.source !== ANNA) return [`${kind} seems to come from ${seen.ip.source}`]
  const back = bench.token('a', `${kind} back`, ['tunnel'])
  await bench.send('a', answer(kind, port, seen, back))
  return (await bench.see('tunnel', back)) === undefined ? [`${kind} is not answered`] : []
}

function answer(kind: Kind, port: number, { ip }: Sight, token: Buffer): Buffer {
  const { payload = Buffer.alloc(20) } = ip ?? {}
  const ends = fromClient('a', ANNA)
  if (kind === 'udp') return udp(ends, [80, port], token)
  if (kind === 'ping') return icmp(ends, 0, 0, Buffer.concat([payload.subarray(4, 8), token]))
  return tcp(ends, [80, port], token, { flags: FLAG.syn | FLAG.ack, acknowledged: 1_000_001 + payload.length - 20 })
}

/** Anna's port of the connection that goes on. */
const STREAM = 7630
/** Segments a second, each way: the fewest that a sender of the lab sends. */
const RATE = 250
const STREAMS = ['stream', 'stream-back'] as const

/** Until `stopStream` each side sends the other a segment again and again. */
export async function startStream(bench: Bench): Promise<readonly string[]> {
  const wrong = await roundTrip(bench, 'tcp', STREAM)
  if (wrong.length > 0) return wrong
  const more = { flags: FLAG.ack, acknowledged: 1_000_001 }
  const there = tcp(fromAnna(A), [STREAM, 80], bench.token('tunnel', 'goes on', ['lan', 'a']), more)
  const back = tcp(fromClient('a', ANNA), [80, STREAM], bench.token('a', 'goes on', ['tunnel']), more)
  await bench.lab.keepSending(STREAMS[0], 'tunnel', [there], RATE)
  await bench.lab.keepSending(STREAMS[1], 'a', [back], RATE)
  return []
}

export async function stopStream({ lab }: Bench): Promise<void> {
  for (const id of STREAMS) await lab.stopSending(id).catch(() => {})
  await new Promise((resolve) => setTimeout(resolve, 300))
}

/** Milliseconds for which a connection may stand still on a machine that has much to do: a session that is made anew takes longer. */
const STILL = 1000

/** Of both ways every segment arrived, and none had to wait. */
export function judgeStream(seen: Seen): readonly string[] {
  const times = (tap: TapName, isSent: boolean, from: number, to: number): readonly number[] =>
    seen[tap]
      .filter(({ bytes, isOutgoing }) => {
        const { ip } = dissect(bytes)
        const [source, target] = ip?.ports ?? []
        const isSyn = ((ip?.payload[13] ?? 0) & FLAG.syn) !== 0
        return isOutgoing === isSent && ip?.protocol === 6 && source === from && target === to && !isSyn
      })
      .map(({ at }) => Number(at / 1_000_000n))
  const ways = [
    ['to the machine', times('tunnel', true, STREAM, 80), times('a', false, STREAM, 80)],
    ['to the client', times('a', true, 80, STREAM), times('tunnel', false, 80, STREAM)],
  ] as const
  return ways.flatMap(([way, sent, got]) => {
    if (sent.length < RATE) return [`${sent.length} segments of the connection were sent ${way}`]
    const pause = Math.max(...got.map((at, index) => at - (got[index - 1] ?? at)))
    const wrong = got.length < sent.length ? [`${way} ${sent.length - got.length} of ${sent.length} are lost`] : []
    return pause > STILL ? [...wrong, `${way} the connection stands still for ${pause} ms`] : wrong
  })
}
