/** The model that why-can answers from, held against the rendered rule files in a kernel, with packets. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { ForwardedContext, LowerContext, RouterContext, TorContext } from '../../src/model/template-context.ts'
import { renderGuestFile } from '../../src/render/guest.ts'
import { planLan, routerContext as routerPlan } from '../../src/router/plan.ts'
import { type Flow, isIn, isRefusedByTor, judgeFlow, type RouterRules } from '../../src/router/rule-model.ts'
import { labMissing } from '../support/leak-lab/namespace.ts'
import { CARDS, type Fate, type RuleBench, type Side, startRuleBench } from '../support/leak-lab/rule-bench.ts'
import { Random } from '../support/random.ts'
import { readTemplate } from '../support/render-contexts.ts'

type ModelLayer = 'uni' | 'gal' | 'sol'

const SCENES = 8
const PROBES = 150
const GATEWAY = { uni: '198.51.100.1', gal: '10.1.1.1', sol: '10.2.2.1' } as const
const WAN = { uni: '198.51.100.20', gal: '10.1.1.2', sol: '10.2.2.2' } as const
/** Ways that packets take, but to the router itself and to nowhere. */
const WAYS = { uni: ['wan', 'lan'], gal: ['tunnel'], sol: [] } as const
const OUTSIDE = '02:00:00:00:0f:01'
const ENDPOINTS = ['203.0.113.7', '203.0.113.8'] as const
const PUBLIC = ['203.0.113.9', '192.0.2.53', ...ENDPOINTS] as const
const PORTS = [53, 443, 1194, 3544, 8443, 5353, 9001, 9050] as const

type Pick = <T>(...items: readonly T[]) => T
type Host = { readonly address: string; readonly mac: string }

/** Clients and places of one layer; the forwarded client and the lower router are drawn for each scene. */
function hostsOf(layer: ModelLayer): Readonly<Record<'client' | 'other' | 'lower' | 'served', Host>> {
  const net = planLan(layer, { subnets: [], networks: [], bridges: [] }).cidr.replace(/0\/24$/, '')
  const host = (last: number): Host => ({
    address: `${net}${last}`,
    mac: `02:00:00:00:02:${last.toString(16).padStart(2, '0')}`,
  })
  return { client: host(40), other: host(50), lower: host(3), served: host(31) }
}

function drawScene(layer: ModelLayer, pick: Pick): RouterContext {
  const { lower, served } = hostsOf(layer)
  const endpoint = (): LowerContext['endpoints'][number] => ({
    address: pick(...PUBLIC),
    protocol: pick('udp', 'tcp'),
    port: pick(...PORTS),
  })
  const lowers = pick<readonly LowerContext[]>(
    [],
    [{ name: 'router-low', wanMac: lower.mac, wanAddress: lower.address, endpoints: [endpoint(), endpoint()] }],
  )
  const ports = [8443, 9001, 53].filter(() => pick(true, true, false))
  const forwards = pick<readonly ForwardedContext[]>(
    [],
    [
      {
        name: 'served',
        ...served,
        ports: ports.map((port) => ({ protocol: pick('udp', 'tcp'), port, target: pick(port, 443) })),
      },
    ],
  )
  const plan = planLan(layer, { subnets: [], networks: [], bridges: [] })
  if (layer === 'sol') {
    const wan = { net: 'gal0', address: WAN.sol, prefix: 24, broadcast: '10.2.2.255', gateway: GATEWAY.sol }
    const network = { name: 'test', isTesting: false, authorities: [], bridges: [] } as const
    const relays = [{ address: ENDPOINTS[0], protocol: 'tcp', port: 443 }] as const
    const tor = pick<TorContext>(
      { ...network, usesConsensus: true, kind: 'public', endpoints: [] },
      {
        ...network,
        usesConsensus: false,
        kind: 'bridges',
        bridges: [{ address: ENDPOINTS[0], port: 443 }],
        endpoints: relays,
      },
    )
    return routerPlan(layer, plan, CARDS, { wan, tor })
  }
  const wan = { net: 'uni0', address: WAN.gal, prefix: 24, broadcast: '10.1.1.255', gateway: GATEWAY.gal }
  const vpn = {
    name: 'home',
    kind: 'wireguard',
    endpoints: [{ address: ENDPOINTS[0], protocol: 'udp', port: 1194 }],
    dns: ['10.8.0.1'],
    addresses: ['10.8.0.2/32'],
  } as const
  return routerPlan(layer, plan, CARDS, {
    lowers,
    ...(layer === 'uni' ? { forwards, closed: pick<readonly string[]>([], ['192.0.2.0/24']) } : { wan, vpn }),
  })
}

function drawFlow(layer: ModelLayer, router: RouterContext, pick: Pick): Flow {
  const { client, other, lower, served } = hostsOf(layer)
  const side = pick<Side>('lan', 'lan', 'lan', 'wan', ...(layer === 'gal' ? (['tunnel'] as const) : []))
  const hosts = [client, lower, served]
  const from = pick(...hosts)
  const protocol = pick<Flow['protocol']>('tcp', 'udp', 'icmp')
  const to = protocol === 'icmp' ? { protocol } : { protocol, port: pick<number>(...PORTS) }
  const target = pick(
    ...PUBLIC,
    ...PUBLIC,
    router.lan.address,
    router.lan.address,
    WAN[layer],
    WAN[layer],
    GATEWAY[layer],
    other.address,
    served.address,
    lower.address,
    '127.0.0.1',
    '224.0.0.1',
    '10.3.3.9',
  )
  if (side !== 'lan')
    return { side, mac: OUTSIDE, source: pick('203.0.113.9', GATEWAY[layer], client.address), target, ...to }
  const source = pick(from.address, from.address, from.address, pick(...hosts).address, '192.0.2.1')
  return { side, mac: from.mac, source, target, ...to }
}

async function startBench(layer: ModelLayer): Promise<RuleBench> {
  const lan = planLan(layer, { subnets: [], networks: [], bridges: [] })
  const lans = Object.values(hostsOf(layer)).map((host) => ({ side: 'lan', ...host }) as const)
  const gateway = { side: 'wan', address: GATEWAY[layer], mac: OUTSIDE } as const
  return startRuleBench({
    addresses: {
      lan: `${lan.address}/24`,
      wan: `${WAN[layer]}/24`,
      ...(layer === 'gal' ? { tunnel: '10.8.0.2/24' } : {}),
    },
    // As wan-lease and run-uplink set them.
    routes:
      layer !== 'gal'
        ? [`default via ${GATEWAY[layer]} dev wan`]
        : ['default via 10.8.0.1 dev tunnel', `${ENDPOINTS[0]} via ${GATEWAY.gal} dev wan`],
    ...(layer === 'sol' ? { echoes: [9053] } : {}),
    neighbours: [
      ...lans,
      gateway,
      ...(layer === 'gal' ? [{ side: 'tunnel', address: '10.8.0.1', mac: OUTSIDE } as const] : []),
    ],
  })
}

function render(router: RouterContext): string {
  const file = `router-${router.layer}/guest/nftables.nft.hbs`
  const identity = { hostname: 'r', machineId: 'ab'.repeat(16), seed: 'cd'.repeat(32) }
  return renderGuestFile(file, readTemplate(file), { identity, nics: [], router, params: {} })
}

/** Where the model differs from the kernel; each flow once. */
async function compare(
  bench: RuleBench,
  router: RouterContext,
  flows: readonly Flow[],
  { model = router, seen = new Set() }: { readonly model?: RouterRules; readonly seen?: Set<Fate> },
): Promise<readonly string[]> {
  await bench.load(render(router))
  const wan = { ...model.wan, address: WAN[router.layer as ModelLayer], prefix: 24 }
  const fates = await bench.probe(flows)
  for (const fate of fates) seen.add(fate)
  return flows.flatMap((flow, i) => {
    // What the rules hand to Tor, and Tor refuses.
    const isOwn = isIn(flow.target, router.lan.cidr)
    if (router.layer === 'sol' && flow.side === 'lan' && !isOwn && isRefusedByTor(flow.target)) return []
    const { isOpen, reason, via } = judgeFlow({ ...model, wan }, flow)
    // Tor is on the router itself.
    const said: Fate = isOpen ? (router.layer === 'sol' && via === 'tunnel' ? 'self' : via) : undefined
    return said === fates[i] ? [] : [`${JSON.stringify(flow)}: the model says ${said} (${reason}), packets ${fates[i]}`]
  })
}

for (const layer of ['uni', 'gal', 'sol'] as const) {
  describe(`the model of a ${layer} router`, { skip: labMissing(), timeout: 120_000 }, () => {
    let bench: RuleBench
    const seen = new Set<Fate>()
    before(async () => {
      bench = await startBench(layer)
    })
    after(() => bench?.stop())

    for (let scene = 0; scene < SCENES; scene++) {
      test(`agrees with ${PROBES} packets in scene ${scene}`, async () => {
        const pick = picker(scene + { uni: 0, gal: 100, sol: 200 }[layer])
        const router = drawScene(layer, pick)
        const flows = Array.from({ length: PROBES }, () => drawFlow(layer, router, pick))
        assert.deepEqual(await compare(bench, router, flows, { seen }), [])
      })
    }

    test('has been tried in every way that a packet can go', () => {
      assert.deepEqual(new Set(seen), new Set([undefined, 'self', ...WAYS[layer]]))
    })

    test('would not agree if the rules let one thing more or less through', async () => {
      const pick = picker(7)
      const router = drawScene(layer, picker(1))
      const flows = Array.from({ length: PROBES }, () => drawFlow(layer, router, pick))
      const { served } = hostsOf(layer)
      const more = [{ name: 'served', ...served, ports: [{ protocol: 'tcp', port: 443, target: 443 }] }] as const
      const lower = { name: 'x', wanMac: served.mac, wanAddress: served.address, endpoints: [] }
      const wrong = {
        uni: { ...router, forwards: more },
        gal: { ...router, lowers: [lower] },
        sol: { ...router, layer: 'gal' },
      }[layer] as RouterRules
      assert.notDeepEqual(await compare(bench, router, flows, { model: wrong }), [])
    })
  })
}

function picker(seed: number): Pick {
  const source = new Random(seed)
  return (...items) => source.pick(items)
}
