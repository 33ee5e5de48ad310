import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isVmpkgError } from '../../src/errors.ts'
import type { DomainFacts } from '../../src/model/libvirt-facts.ts'
import { explainReach, type Reach, type ReachQuery } from '../../src/router/reach.ts'
import type { Known, KnownMachine } from '../../src/router/topology.ts'
import { anyKnown, behind, card, client, foreign, lan, mac, router, UPLINK } from '../support/topologies.ts'

const isolated = (net: string, last: number): KnownMachine['cards'] => [card(net, { mac: mac(last), isIsolated: true })]

/** A client with a reserved address and a forwarded port. */
function served(name: string, net: string): KnownMachine {
  const one = client(name, net, { cards: isolated(net, 9) })
  const forwards = [{ protocol: 'tcp', port: 8443, target: 443 }]
  return {
    ...one,
    facts: { ...one.facts, wanMac: mac(9), wanAddress: '10.1.1.31', forwards } as unknown as DomainFacts,
  }
}

const GAL = router('router-gal', 'gal', 'gal0', {
  ...behind('uni0', '10.1.1.2'),
  cards: [card('uni0', { mac: mac(3), isIsolated: true }), card('gal0', { mac: mac(2) })],
})
const WELL: Known = {
  networks: [UPLINK, lan('uni0', 'uni', '10.1.1.0/24'), lan('gal0', 'gal', '10.2.2.0/24')],
  machines: [
    router('router-uni', 'uni', 'uni0'),
    GAL,
    client('plain', 'uni0', { cards: isolated('uni0', 7) }),
    served('web', 'uni0'),
    client('deep', 'gal0', { cards: isolated('gal0', 8) }),
  ],
}

function ask(from: string, to: string, what = 'tcp/443', known: Known = WELL): Reach {
  const [protocol = '', port] = what.split('/')
  const query = { from, to, protocol, ...(port === undefined ? {} : { port: Number(port) }) } as ReachQuery
  return explainReach(known, query)
}
const said = (...of: Parameters<typeof ask>): string => {
  const { isReachable, hops } = ask(...of)
  return `${isReachable ? 'yes' : 'no'} ${hops.map(({ at }) => at).join(' ')}`
}
const reasonOf = (...of: Parameters<typeof ask>): string => ask(...of).hops.at(-1)?.reason ?? ''

/** A machine of the house in another state. */
function changed(name: string, of: (machine: KnownMachine) => Partial<KnownMachine>): Known {
  const machines = WELL.machines.map((one) => (one.name === name ? { ...one, ...of(one) } : one))
  return { ...WELL, machines }
}

/** Tor behind the tunnel. */
function withSol(facts: Partial<DomainFacts>): Known {
  const sol = router('router-sol', 'sol', 'sol0', {
    ...behind('gal0', '10.2.2.2'),
    cards: [card('gal0', { mac: mac(13), isIsolated: true }), card('sol0', { mac: mac(12) })],
  })
  const own = { ...sol.facts, wanMac: mac(13), wanAddress: '10.2.2.2', net: 'gal0', ...facts } as unknown as DomainFacts
  return {
    networks: [...WELL.networks, lan('sol0', 'sol', '10.3.3.0/24')],
    machines: [
      ...WELL.machines,
      { ...sol, facts: own },
      client('hidden', 'sol0', { cards: isolated('sol0', 10) }),
      client('other', 'sol0', { cards: isolated('sol0', 11) }),
    ],
  }
}

describe('explainReach', () => {
  test('a client behind Tor reaches the world by TCP through all three, names by Tor, and nothing else', () => {
    for (const facts of [
      { endpoints: [], reach: 'tor' },
      { endpoints: [{ address: '203.0.113.70', protocol: 'tcp', port: 443 }] },
    ]) {
      const known = withSol(facts as Partial<DomainFacts>)
      assert.equal(said('hidden', 'world', 'tcp/443', known), 'yes router-sol router-gal router-uni')
      assert.equal(said('hidden', 'world', 'udp/53', known), 'yes router-sol')
      for (const what of ['udp/443', 'icmp', 'tcp/53'])
        assert.equal(said('hidden', 'world', what, known), 'no router-sol', what)
      assert.equal(said('hidden', 'other', 'tcp/443', known), 'no router-sol')
    }
  })

  test('a router with Tor reaches relays through the tunnel above, those that it names or those of the consensus, and never beside it', () => {
    const strict = withSol({ endpoints: [{ address: '203.0.113.70', protocol: 'tcp', port: 443 }] })
    const wide = withSol({ endpoints: [], reach: 'tor' })
    assert.match(reasonOf('hidden', 'world', 'tcp/80', strict), /endpoint that router-gal declares/)
    assert.match(ask('hidden', 'world', 'tcp/80', strict).hops[1]?.reason ?? '', /endpoint that router-sol declares/)
    assert.match(
      ask('hidden', 'world', 'tcp/80', wide).hops[1]?.reason ?? '',
      /relays of Tor that the consensus names, in the tunnel/,
    )
    assert.equal(said('router-sol', 'world', 'udp/53', wide), 'no router-sol')
  })

  test('a client of the first layer reaches the world, but neither resolvers there nor Teredo', () => {
    assert.equal(said('plain', 'world'), 'yes router-uni')
    assert.equal(said('plain', '203.0.113.9', 'icmp'), 'yes router-uni')
    assert.equal(said('plain', 'world', 'udp/53'), 'no router-uni')
    assert.match(reasonOf('plain', 'world', 'udp/53'), /asked for at the router itself/)
    assert.equal(said('plain', 'world', 'udp/3544'), 'no router-uni')
    assert.equal(said('plain', 'router-uni', 'udp/53'), 'yes router-uni')
    assert.equal(said('plain', 'router-uni', 'tcp/22'), 'no router-uni')
    assert.equal(said('plain', '10.1.1.1', 'tcp/53'), 'yes router-uni')
  })

  test('a client of the second layer goes through the tunnel, which the first layer lets through', () => {
    const { isReachable, hops } = ask('deep', 'world', 'udp/53')
    assert.equal(isReachable, true)
    assert.deepEqual(
      hops.map(({ at }) => at),
      ['router-gal', 'router-uni'],
    )
    assert.match(
      hops[1]?.reason ?? '',
      /tunnel to udp 203\.0\.113\.7 port 1194: it is an endpoint that router-gal declares/,
    )
    assert.match(reasonOf('deep', '203.0.113.7'), /beside the tunnel/)
    assert.match(reasonOf('deep', '10.1.1.31'), /beside the tunnel/)
  })

  test('routers that stand behind each other carry nothing, and are no loop here', () => {
    const endpoints = [{ address: '203.0.113.7', protocol: 'udp', port: 1194 }]
    const ring = (name: string, own: string, net: string, last: number): KnownMachine => {
      const of = {
        facts: { net, wanMac: mac(last), wanAddress: `10.1.${last}.2`, endpoints } as unknown as DomainFacts,
      }
      return router(name, 'gal', own, { ...of, cards: [card(net, { mac: mac(last) }), card(own, { mac: mac(2) })] })
    }
    const known: Known = {
      networks: [lan('g1', 'gal', '10.1.4.0/24'), lan('g2', 'gal', '10.1.3.0/24')],
      machines: [ring('one', 'g1', 'g2', 3), ring('two', 'g2', 'g1', 4), client('c', 'g1')],
    }
    assert.equal(ask('c', 'world', 'tcp/80', known).isReachable, false)
  })

  test('without an endpoint that is let through nothing goes', () => {
    const without = changed('router-gal', ({ facts }) => ({
      facts: { ...facts, endpoints: [] } as unknown as DomainFacts,
    }))
    assert.equal(said('deep', 'world', 'tcp/443', without), 'no router-gal router-gal')
    assert.match(reasonOf('deep', 'world', 'tcp/443', without), /no tunnel/)
  })

  test('a router broken into reaches what it declares, of itself and by the wall above', () => {
    assert.equal(said('router-gal', '203.0.113.7', 'udp/1194'), 'yes router-gal router-uni')
    assert.equal(said('router-gal', '203.0.113.7', 'tcp/22'), 'no router-gal')
    assert.equal(said('router-uni', 'world', 'udp/53'), 'yes router-uni')
    assert.equal(said('router-uni', 'plain', 'tcp/22'), 'no router-uni')
  })

  test('from the world comes what is forwarded, to that machine only', () => {
    assert.equal(said('world', 'web', 'tcp/8443'), 'yes router-uni')
    assert.equal(said('world', 'web', 'tcp/443'), 'no router-uni')
    assert.equal(said('world', 'web', 'udp/8443'), 'no router-uni')
    assert.equal(said('world', 'plain', 'tcp/8443'), 'no router-uni')
    assert.match(reasonOf('world', 'plain', 'tcp/8443'), /of web, not to plain/)
    assert.equal(said('world', 'deep', 'tcp/8443'), 'no router-uni')
    assert.equal(said('world', 'router-uni', 'tcp/22'), 'no router-uni')
    assert.equal(said('world', '10.1.1.31', 'tcp/8443'), 'yes router-uni')
  })

  test('machines of one LAN meet where they are not isolated, or by the outer address of a forwarded port', () => {
    assert.equal(said('plain', 'web'), 'no router-uni')
    assert.equal(said('plain', 'web', 'tcp/8443'), 'yes router-uni')
    assert.match(reasonOf('plain', 'web', 'tcp/8443'), /by its outer address/)
    assert.equal(said('plain', 'router-gal'), 'no router-uni')
    const known = { ...WELL, machines: [...WELL.machines, foreign('snoop', [card('uni0', { mac: mac(12) })])] }
    assert.equal(said('plain', 'snoop', 'tcp/22', known), 'yes uni0')
    assert.equal(
      said('deep', 'web', 'tcp/8443'),
      'yes router-gal router-uni router-uni',
      'out by the tunnel, and in again',
    )
    assert.equal(said('deep', 'plain'), 'no router-gal router-uni router-uni')
  })

  test('links that are down and panic are a no, and what does not run is supposed', () => {
    const cut = (net: string): KnownMachine['cards'] => [card(net, { mac: mac(7), link: 'down' })]
    assert.equal(
      said(
        'plain',
        'world',
        'tcp/443',
        changed('plain', () => ({ cards: cut('uni0') })),
      ),
      'no plain',
    )
    assert.match(
      reasonOf(
        'plain',
        'world',
        'tcp/443',
        changed('router-uni', () => ({ isPanic: true })),
      ),
      /in panic/,
    )
    assert.match(
      reasonOf(
        'deep',
        'world',
        'tcp/443',
        changed('router-uni', () => ({ isPanic: true })),
      ),
      /in panic/,
    )
    const closed = [card('vmpkg-uplink', { mac: mac(1) }), card('uni0', { mac: mac(2), link: 'down' })]
    assert.match(
      reasonOf(
        'plain',
        'world',
        'tcp/443',
        changed('router-uni', () => ({ cards: closed })),
      ),
      /not attested/,
    )
    const off = ask(
      'plain',
      'world',
      'tcp/443',
      changed('router-uni', () => ({ isActive: false, cards: closed })),
    )
    assert.equal(off.isReachable, true)
    assert.match(off.assumptions.join(), /router-uni does not run/)
  })

  test('what it cannot know it does not say', () => {
    const known = { ...WELL, machines: [...WELL.machines, foreign('elsewhere', [card('default')])] }
    assert.throws(() => ask('elsewhere', 'world', 'tcp/443', known), /on no LAN of a router/)
    assert.throws(() => ask('nobody', 'world'), /no machine "nobody"/)
    assert.throws(() => ask('plain', 'plain'), /the same/)
    assert.throws(() => ask('world', 'world'), /the same/)
  })

  test('whatever graph libvirt has, there is an answer or an error that says why', () => {
    const names = fc.constantFrom('world', 'm0', 'm1', 'm2', '10.0.0.2', '10.0.0.9', '203.0.113.9')
    fc.assert(
      fc.property(anyKnown, names, names, fc.integer({ min: 1, max: 65_535 }), (known, from, to, port) => {
        try {
          const { isReachable, hops } = explainReach(known, { from, to, protocol: 'tcp', port })
          assert.equal(
            isReachable,
            hops.every(({ isOpen }) => isOpen),
          )
          for (const { isOpen } of hops.slice(0, -1)) assert.equal(isOpen, true, 'nothing goes on after a no')
        } catch (error) {
          assert.ok(isVmpkgError(error), String(error))
        }
      }),
      { numRuns: 2000 },
    )
  })
})
