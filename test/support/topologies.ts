/** What libvirt could know of networks and machines, for tests of the topology: plain ones, and ones nobody would make. */
import fc from 'fast-check'
import type { DomainFacts, NetworkFacts } from '../../src/model/libvirt-facts.ts'
import type { Layer } from '../../src/model/line.ts'
import type { CardPlace, Known, KnownCard, KnownMachine, KnownNetwork } from '../../src/router/topology.ts'

const DIGEST = 'a'.repeat(64) as DomainFacts['digest']
const COMMON = { version: '1.0.0-1', digest: DIGEST, origin: 'example', createdAt: '2026-01-01T00:00:00Z' }

export const mac = (last: number): string => `02:00:00:00:00:${last.toString(16).padStart(2, '0')}`

export function card(name: string, of: Partial<KnownCard> & { readonly kind?: CardPlace['kind'] } = {}): KnownCard {
  const { kind = 'network', ...rest } = of
  return { place: { kind, name }, link: 'up', isNext: false, ...rest }
}

export function lan(name: string, layer: Layer, cidr: string): KnownNetwork {
  const facts: NetworkFacts = { ...COMMON, package: `router-${layer}`, role: 'lan', layer, instance: name, cidr }
  return { name, bridge: `vmp-${name}`, isActive: true, facts }
}

export function router(name: string, layer: Layer, instance: string, of: Partial<KnownMachine> = {}): KnownMachine {
  const { facts, ...rest } = of
  return {
    name,
    state: 'running',
    isActive: true,
    cards: [card('vmpkg-uplink', { mac: mac(1) }), card(instance, { mac: mac(2) })],
    facts: {
      ...COMMON,
      package: name,
      kind: 'router',
      layer,
      instance,
      ephemeral: false,
      lanMac: mac(2),
      parameters: {},
      ...facts,
    },
    ...rest,
  }
}

export function client(name: string, net: string, of: Partial<KnownMachine> = {}): KnownMachine {
  const facts: DomainFacts = { ...COMMON, package: 'app-console', kind: 'app', net, ephemeral: true, parameters: {} }
  return { name, state: 'running', isActive: true, cards: [card(net)], facts, ...of }
}

export function foreign(name: string, cards: readonly KnownCard[]): KnownMachine {
  return { name, state: 'running', isActive: true, cards }
}

export const UPLINK: KnownNetwork = {
  name: 'vmpkg-uplink',
  bridge: 'vmp-uplink',
  isActive: true,
  facts: { ...COMMON, package: 'router-uni', role: 'uplink', cidr: '192.168.130.0/24' },
}

/** The facts of a router that stands behind another. */
export const behind = (net: string, wanAddress: string): Partial<KnownMachine> => ({
  cards: [card(net, { mac: mac(3) }), card('gal0', { mac: mac(2) })],
  facts: {
    net,
    wanMac: mac(3),
    wanAddress,
    endpoints: [{ protocol: 'udp', address: '203.0.113.7', port: 1194 }],
  } as unknown as DomainFacts,
})

/** Two layers that stand well, a client of each, and what went wrong around them. */
export const HOUSE: Known = {
  networks: [
    UPLINK,
    lan('uni0', 'uni', '10.1.1.0/24'),
    lan('gal0', 'gal', '10.2.2.0/24'),
    { ...lan('uni1', 'uni', '10.1.2.0/24'), isActive: false },
    { name: 'default', bridge: 'virbr0', cidr: '192.168.122.0/24', isActive: true },
    { name: 'tap-in', bridge: 'vmp-uni0', isActive: true },
  ],
  machines: [
    router('router-uni', 'uni', 'uni0'),
    router('router-gal', 'gal', 'gal0', behind('uni0', '10.1.1.2')),
    router('router-lost', 'gal', 'gal7', {
      state: 'shutoff',
      isActive: false,
      ...behind('uni7', '10.1.8.2'),
      cards: [],
    }),
    client('console-1', 'gal0'),
    client('console-2', 'uni0', { cards: [card('uni0', { link: 'down' })] }),
    client('left', 'uni1', { state: 'shutoff', isActive: false }),
    foreign('snoop', [card('vmp-uni0', { kind: 'bridge' }), card('gal0', { mac: mac(9) })]),
    foreign('elsewhere', [card('default')]),
    foreign('deep', [card('tap-in')]),
  ],
}

/** Names with every character that a format could trip over. */
export const hostileName: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    'a"b',
    ']]>',
    '<script>alert(1)</script>',
    'a\nb\r\tc',
    '&amp;#quot;',
    'x["y"] --> z',
    '`**b**`',
    'end',
    '%% comment',
    'style a:#b;',
    '\u001b[31mred',
    '\u202egnp.exe',
    '\ud800',
    '\ufffe',
    'subgraph',
    "';--",
  ),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 100 }),
)

const somewhere = fc.constantFrom('n0', 'n1', 'n2', 'n3', 'gone')

const anyCard: fc.Arbitrary<KnownCard> = fc.record(
  {
    place: fc.oneof(
      fc.record({ kind: fc.constant('network' as const), name: somewhere }),
      fc.record({ kind: fc.constantFrom('bridge', 'device', 'pci', 'other'), name: fc.constantFrom('b0', 'b1', 'x') }),
      fc.constant({ kind: 'user', name: '' } as const),
    ),
    mac: fc.integer({ min: 1, max: 4 }).map(mac),
    link: fc.constantFrom('up', 'down'),
    isNext: fc.boolean(),
  },
  { requiredKeys: ['place', 'link', 'isNext'] },
)

const machineFacts = fc.record(
  {
    kind: fc.constantFrom('router', 'app'),
    instance: somewhere,
    net: somewhere,
    lanMac: fc.integer({ min: 1, max: 4 }).map(mac),
    wanMac: fc.integer({ min: 1, max: 4 }).map(mac),
    wanAddress: fc.constant('10.0.0.2'),
    layer: fc.constantFrom('uni', 'gal', 'sol'),
  },
  { requiredKeys: ['kind'] },
)

/** Any graph that can be written by hand: loops, doubles, machines above themselves, records without cards. */
export const anyKnown: fc.Arbitrary<Known> = fc.record({
  networks: fc
    .uniqueArray(fc.constantFrom('n0', 'n1', 'n2', 'n3'), { maxLength: 4 })
    .chain((names) => fc.tuple(...names.map(anyNetwork))),
  machines: fc.uniqueArray(
    fc.record(
      {
        name: fc.oneof(fc.constantFrom('m0', 'm1', 'm2'), hostileName),
        state: fc.constantFrom('running', 'shutoff'),
        isActive: fc.boolean(),
        facts: machineFacts.map((facts) => ({ ...COMMON, package: 'p', parameters: {}, ephemeral: false, ...facts })),
        cards: fc.array(anyCard, { maxLength: 4 }),
      },
      { requiredKeys: ['name', 'state', 'isActive', 'cards'] },
    ),
    { maxLength: 7, selector: ({ name }) => name },
  ),
}) as fc.Arbitrary<Known>

function anyNetwork(name: string): fc.Arbitrary<KnownNetwork> {
  return fc.record(
    {
      name: fc.constant(name),
      bridge: fc.constantFrom('b0', 'b1', 'b2'),
      isActive: fc.boolean(),
      facts: fc.record({
        ...Object.fromEntries(Object.entries(COMMON).map(([key, value]) => [key, fc.constant(value)])),
        package: fc.constant('p'),
        role: fc.constantFrom('lan', 'uplink'),
        cidr: fc.constant('10.0.0.0/24'),
      }),
    },
    { requiredKeys: ['name', 'isActive'] },
  ) as unknown as fc.Arbitrary<KnownNetwork>
}
