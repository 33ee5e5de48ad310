/**
 * A kernel with a router's rule file and nothing else: three cards and routes as its scripts make them. Probes go in on one
 * card, and what comes out says what the rules made of each. No init and no services, so a scene takes a second.
 */
import type { Flow } from '../../../src/router/rule-model.ts'
import { dissect } from './dissect.ts'
import { type Ends, ping, tcp, udp } from './frames.ts'
import { type Namespace, startNamespace } from './namespace.ts'
import { readCapture } from './pcapng.ts'

export const CARDS = { lan: '02:00:00:00:02:01', wan: '02:00:00:00:01:01', tunnel: '02:00:00:00:03:01' } as const
export type Side = keyof typeof CARDS
const SIDES = Object.keys(CARDS) as readonly Side[]

export interface BenchPlan {
  /** With prefix; a card without one is down. */
  readonly addresses: Readonly<Partial<Record<Side, string>>>
  /** As `ip route add` takes them. */
  readonly routes: readonly string[]
  readonly neighbours: readonly { readonly side: Side; readonly address: string; readonly mac: string }[]
  /** UDP ports of the router whose service gives back what it gets. */
  readonly echoes?: readonly number[]
}

const ECHO = `
import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(('0.0.0.0', int(sys.argv[1])))
while True:
    data, peer = sock.recvfrom(2048)
    try:
        sock.sendto(data, peer)
    except OSError:
        pass # a sender that nothing is routed to
`

/** What became of a probe: out by a card, answered by the router itself, or nothing. */
export type Fate = Side | 'self' | undefined

export interface RuleBench {
  load(rules: string): Promise<void>
  /** The fate of each, in order. */
  probe(flows: readonly Flow[]): Promise<readonly Fate[]>
  stop(): Promise<void>
}

/** The settings that the boot script makes and that decide about packets. */
const SETTINGS: Readonly<Record<string, string>> = {
  'net/ipv4/conf/all/rp_filter': '1',
  'net/ipv4/conf/default/rp_filter': '1',
  'net/ipv4/conf/all/accept_source_route': '0',
  'net/ipv4/conf/all/send_redirects': '0',
  'net/ipv4/conf/default/send_redirects': '0',
  'net/ipv4/ip_forward': '1',
  'net/ipv4/icmp_ratelimit': '0',
}

export async function startRuleBench({ addresses, routes, neighbours, echoes = [] }: BenchPlan): Promise<RuleBench> {
  const lab = await startNamespace()
  try {
    await lab.run('host', 'ip', 'netns', 'add', 'router')
    await lab.run('host', 'ip', 'netns', 'add', 'outside')
    for (const side of SIDES) {
      await lab.run(
        'host',
        'ip',
        'link',
        'add',
        side,
        'netns',
        'router',
        'type',
        'veth',
        'peer',
        side,
        'netns',
        'outside',
      )
      await lab.run('router', 'ip', 'link', 'set', side, 'address', CARDS[side])
      await lab.run('outside', 'ip', 'link', 'set', side, 'arp', 'off')
      await lab.run('outside', 'ip', 'link', 'set', side, 'up')
    }
    const noIpv6 = { 'net/ipv6/conf/all/disable_ipv6': '1', 'net/ipv6/conf/default/disable_ipv6': '1' }
    for (const ns of ['router', 'outside']) await lab.request('settings', { ns, values: noIpv6 })
    await lab.request('settings', { ns: 'router', values: SETTINGS })
    await lab.run('router', 'ip', 'link', 'set', 'lo', 'up')
    for (const [side, address] of Object.entries(addresses)) {
      await lab.run('router', 'ip', 'address', 'add', address, 'dev', side)
      await lab.run('router', 'ip', 'link', 'set', side, 'up')
    }
    for (const { side, address, mac } of neighbours)
      await lab.run('router', 'ip', 'neighbour', 'add', address, 'lladdr', mac, 'dev', side, 'nud', 'permanent')
    for (const route of routes) await lab.run('router', 'ip', 'route', 'add', ...route.split(' '))
    for (const port of echoes) {
      await lab.request('start', { id: `echo-${port}`, ns: 'router', argv: ['python3', '-c', ECHO, String(port)] })
    }
  } catch (error) {
    await lab.stop()
    throw error
  }
  return bench(lab)
}

const FIRST_PORT = 10_000

function bench(lab: Namespace): RuleBench {
  let round = 0
  let port = FIRST_PORT
  return {
    async load(rules) {
      const argv = ['nft', '-f', '-']
      const { status, stderr } = await lab.request<{ status: number; stderr: string }>('run', {
        ns: 'router',
        argv,
        input: rules,
      })
      if (status !== 0) throw new Error(`nft: ${stderr}`)
    },
    async probe(flows) {
      // A source port and a token of its own: no probe is part of another's flow.
      const probes = flows.map((flow) => ({ flow, port: port++, token: Buffer.from(`probe-${port}-end`) }))
      if (port > 60_000) throw new Error('more probes than source ports')
      for (const id of SIDES) await lab.request('tap', { id, ns: 'outside', iface: id })
      for (const side of SIDES) {
        const frames = probes.filter(({ flow }) => flow.side === side).map((one) => frameOf(one).toString('base64'))
        if (frames.length > 0) await lab.request('send', { ns: 'outside', iface: side, frames, rate: 4000 })
      }
      await new Promise((resolve) => setTimeout(resolve, 150))
      const fates = new Map<number, Side | 'self'>()
      for (const id of SIDES) {
        const file = `${lab.dir}/${id}-${round}.pcapng`
        const { dropped } = await lab.request<{ dropped: number }>('untap', { id, file })
        if (dropped > 0) throw new Error(`tap ${id} lost ${dropped} frames`)
        for (const { bytes, isOutgoing } of await readCapture(file)) {
          if (isOutgoing) continue
          const found = findFate(bytes, probes)
          if (found !== undefined) fates.set(found.port, found.isAnswer ? 'self' : id)
        }
      }
      round += 1
      return probes.map((one) => fates.get(one.port))
    },
    stop: () => lab.stop(),
  }
}

interface Probe {
  readonly flow: Flow
  readonly port: number
  readonly token: Buffer
}

function frameOf({ flow, port, token }: Probe): Buffer {
  const { side, mac = '02:00:00:00:0f:01', source, target, protocol, port: asked = 0 } = flow
  const ends: Ends = { from: { mac, address: source }, to: { mac: CARDS[side], address: target } }
  if (protocol === 'icmp') return ping(ends, token)
  return { tcp, udp }[protocol](ends, [port, asked], token)
}

/** A reset, an echo's reply or an error is the router's own word; everything else with the token is the probe. */
function findFate(bytes: Buffer, probes: readonly Probe[]): { port: number; isAnswer: boolean } | undefined {
  const { ip } = dissect(bytes)
  if (ip === undefined) return undefined
  const [, number] = /probe-(\d+)-end/.exec(bytes.toString('latin1')) ?? []
  if (number !== undefined) {
    const isError = ip.protocol === 1 && [0, 3].includes(ip.payload[0] ?? 0)
    const port = Number(number) - 1
    return { port, isAnswer: isError || ip.ports?.[1] === port }
  }
  const isReset = ip.protocol === 6 && ((ip.payload[13] ?? 0) & 4) !== 0
  const own = probes.find(({ flow, port }) => isReset && ip.ports?.[1] === port && ip.target === flow.source)
  return own === undefined ? undefined : { port: own.port, isAnswer: true }
}
