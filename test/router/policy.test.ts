import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { DomainFacts } from '../../src/model/libvirt-facts.ts'
import { findLowers, sameLowers } from '../../src/router/policy.ts'

const ENDPOINT = { address: '203.0.113.7', protocol: 'udp', port: 1194 } as const
const OTHER = { address: '203.0.113.8', protocol: 'tcp', port: 443 } as const
const facts = {
  package: 'router-gal',
  kind: 'router',
  net: 'uni0',
  wanMac: '02:00:00:00:00:01',
  wanAddress: '10.1.1.2',
  endpoints: [ENDPOINT],
} as unknown as DomainFacts
const place = { wanMac: '02:00:00:00:00:01', wanAddress: '10.1.1.2' }

describe('findLowers', () => {
  test('finds the routers on that LAN, by name, and no client', () => {
    const client = { name: 'client', facts: { ...facts, kind: 'app' as const } }
    const elsewhere = { name: 'far', facts: { ...facts, net: 'uni1' } }
    const found = findLowers('uni0', [client, { name: 'b', facts }, elsewhere, { name: 'a', facts }])
    assert.deepEqual(
      found.map(({ name }) => name),
      ['a', 'b'],
    )
    assert.deepEqual(found[0], { name: 'a', ...place, endpoints: [ENDPOINT] })
  })

  test('lets through what runs and what is defined, each once, in an order of their own', () => {
    const running = { ...facts, endpoints: [OTHER, ENDPOINT] }
    const [found] = findLowers('uni0', [{ name: 'gal', facts, running }])
    assert.deepEqual(found?.endpoints, [ENDPOINT, OTHER])
  })

  test('takes a router that runs on another LAN than it is defined for on both', () => {
    const moved = { name: 'gal', facts: { ...facts, net: 'uni1' }, running: facts }
    assert.equal(findLowers('uni0', [moved]).length, 1)
    assert.equal(findLowers('uni1', [moved]).length, 1)
  })

  test('a router that declares no endpoint reaches nothing, and one without an address is not known', () => {
    const { endpoints: _, ...silent } = facts
    assert.deepEqual(findLowers('uni0', [{ name: 'gal', facts: silent }])[0]?.endpoints, [])
    const { wanAddress: __, ...nowhere } = facts
    assert.deepEqual(findLowers('uni0', [{ name: 'gal', facts: nowhere }]), [])
  })
})

describe('reach', () => {
  test('is kept while a router that uses the consensus runs or is defined', () => {
    const open = { ...facts, endpoints: [], reach: 'tor' } as const
    assert.equal(findLowers('uni0', [{ name: 'sol', facts: open }])[0]?.reach, 'tor')
    assert.equal(findLowers('uni0', [{ name: 'sol', facts, running: open }])[0]?.reach, 'tor')
    assert.equal(findLowers('uni0', [{ name: 'sol', facts: open, running: facts }])[0]?.reach, 'tor')
    assert.equal(findLowers('uni0', [{ name: 'sol', facts }])[0]?.reach, undefined)
    const lower = { name: 'sol', ...place, endpoints: [] }
    assert.ok(!sameLowers([lower], [{ ...lower, reach: 'tor' }]))
  })
})

describe('sameLowers', () => {
  const lower = { name: 'gal', ...place, endpoints: [ENDPOINT] }

  test('holds for the same, whatever the order of their members', () => {
    const turned = {
      endpoints: [{ port: 1194, protocol: 'udp', address: '203.0.113.7' } as const],
      ...place,
      name: 'gal',
    }
    assert.ok(sameLowers([lower], [turned]))
  })

  test('sees another address, card, port or protocol', () => {
    const others = [
      { ...lower, wanAddress: '10.1.1.3' },
      { ...lower, wanMac: '02:00:00:00:00:02' },
      { ...lower, endpoints: [{ ...ENDPOINT, port: 1195 }] },
      { ...lower, endpoints: [{ ...ENDPOINT, protocol: 'tcp' as const }] },
      { ...lower, endpoints: [] },
    ]
    assert.ok(others.every((other) => !sameLowers([lower], [other])))
    assert.ok(!sameLowers([lower], []))
  })
})
