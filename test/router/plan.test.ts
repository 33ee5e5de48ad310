import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { overlaps, parseSubnet } from '../../src/model/subnet.ts'
import { planLan, planUplink, routerContext } from '../../src/router/plan.ts'

const nothing = { subnets: [], networks: [], bridges: [] }

describe('planLan', () => {
  test('gives the first instance of each layer the subnet of the design (CID-1)', () => {
    assert.equal(planLan('uni', nothing).cidr, '10.1.1.0/24')
    assert.equal(planLan('gal', nothing).cidr, '10.2.2.0/24')
    assert.equal(planLan('sol', nothing).cidr, '10.3.3.0/24')
  })

  test('describes the whole subnet', () => {
    assert.deepEqual(planLan('uni', nothing), {
      instance: 'uni0',
      bridge: 'vmp-uni0',
      cidr: '10.1.1.0/24',
      address: '10.1.1.1',
      prefix: 24,
      netmask: '255.255.255.0',
      broadcast: '10.1.1.255',
      rangeFirst: '10.1.1.32',
      rangeLast: '10.1.1.254',
    })
  })

  test('takes the next instance where the name or the bridge is taken', () => {
    assert.equal(planLan('uni', { ...nothing, networks: ['uni0'] }).instance, 'uni1')
    assert.equal(planLan('uni', { ...nothing, bridges: ['vmp-uni0'] }).instance, 'uni1')
  })

  test('never overlaps a subnet in use', () => {
    const cidr = fc
      .tuple(fc.integer({ min: 1, max: 3 }), fc.nat(255), fc.integer({ min: 16, max: 32 }))
      .map(([second, third, prefix]) => `10.${second}.${third}.0/${prefix}`)
    fc.assert(
      fc.property(fc.array(cidr, { maxLength: 12 }), (subnets) => {
        let plan: { cidr: string }
        try {
          plan = planLan('uni', { ...nothing, subnets })
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'ADDRESS_UNAVAILABLE')
          return
        }
        const mine = parseSubnet(plan.cidr)
        assert.ok(subnets.every((subnet) => !overlaps(mine, parseSubnet(subnet))))
      }),
    )
  })

  test('says so when everything is taken', () => {
    assert.throws(() => planLan('uni', { ...nothing, subnets: ['10.0.0.0/8'] }), { code: 'ADDRESS_UNAVAILABLE' })
    assert.throws(() => planUplink({ ...nothing, subnets: ['192.168.0.0/16'] }), { code: 'ADDRESS_UNAVAILABLE' })
  })

  test('keeps the router address out of the DHCP range', () => {
    const plan = planLan('gal', nothing)
    assert.ok(parseSubnet(plan.address).address < parseSubnet(plan.rangeFirst).address)
  })
})

describe('routerContext', () => {
  test('binds roles to MACs', () => {
    const context = routerContext('uni', planLan('uni', nothing), {
      wan: '02:00:00:00:00:01',
      lan: '02:00:00:00:00:02',
    })
    assert.equal(context.wan.mac, '02:00:00:00:00:01')
    assert.equal(context.lan.mac, '02:00:00:00:00:02')
    assert.equal(context.instance, 'uni0')
    assert.equal('bridge' in context.lan, false)
  })
})
