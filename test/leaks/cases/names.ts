/** Group B of docs/leaks.md: names. */
import { randomBytes } from 'node:crypto'
import { dnsQuery, tcp, udp } from '../../support/leak-lab/frames.ts'
import { ALL_STATES, type Bench, type LeakCase, type Probe } from '../../support/leak-lab/leak-case.ts'
import { fromClient, LAN_ADDRESS } from '../../support/leak-lab/places.ts'
import { without } from './rules.ts'

/** Resolvers that guests are known to bring along. Nothing leaves the lab. */
export const RESOLVERS = `
  8.8.8.8 8.8.4.4 1.1.1.1 1.0.0.1 9.9.9.9 149.112.112.112 208.67.222.222 208.67.220.220 94.140.14.14 94.140.15.15
  185.228.168.9 76.76.2.0 76.76.10.0 64.6.64.6 84.200.69.80 77.88.8.8 80.80.80.80 91.239.100.100 45.90.28.0 4.2.2.1`
  .trim()
  .split(/\s+/)

const resolverProbes: readonly Probe[] = RESOLVERS.flatMap((resolver, n): Probe[] => [
  {
    from: 'a',
    what: `a question to ${resolver}`,
    frame: (token) =>
      udp(fromClient('a', resolver), [9000 + n, 53], Buffer.concat([dnsQuery(n, 'example.net'), token])),
  },
  {
    from: 'b',
    what: `a connection to ${resolver}`,
    frame: (token) => tcp(fromClient('b', resolver), [9000 + n, 53], token),
  },
])

/** Status and number of answers to a client's question for a name below `name`; `undefined` when none comes. */
export async function ask(
  bench: Bench,
  name: string,
  type = 1,
): Promise<{ status: number; answers: number } | undefined> {
  const label = `q${randomBytes(6).toString('hex')}`
  await bench.send('a', udp(fromClient('a', LAN_ADDRESS), [10_053, 53], dnsQuery(1, `${label}.${name}`, type)))
  const answer = await bench.see('a', Buffer.from(label), 2)
  const message = answer?.ip?.payload.subarray(8)
  return message === undefined ? undefined : { status: (message[3] ?? 0) & 15, answers: message.readUInt16BE(6) }
}

const NO_SUCH_NAME = 3

export const NAMES: readonly LeakCase[] = [
  {
    id: 'B1',
    title: 'questions to 20 public resolvers do not leave; the router’s own resolver is the only way',
    states: ALL_STATES,
    probes: resolverProbes,
    negative: { changes: [without('udp dport 53 drop'), without('tcp dport 53 drop')], state: 'U' },
  },
  {
    id: 'B9',
    title: 'names of onion services and of local networks are answered here and never forwarded',
    states: ['U'],
    async act(bench) {
      const wrong: string[] = []
      for (const name of ['duckduckgogg42xjoc72x.onion', 'x.onion', 'printer.local', 'db.internal', 'nas.home.arpa']) {
        const answer = await ask(bench, name)
        if (answer?.status !== NO_SUCH_NAME) wrong.push(`${name} is answered with ${answer?.status ?? 'nothing'}`)
      }
      return wrong
    },
    negative: { changes: [{ file: 'dnsmasq.conf', find: 'local=/onion/\n', replace: '' }] },
  },
]
