import assert from 'node:assert/strict'
import { BlockList, isIPv4 } from 'node:net'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { formatSubnet, overlaps, parseSubnet, parseUsedSubnets, pickFreeSubnet } from '../../src/host/subnets.ts'
import { realProcesses } from '../support/real-processes.ts'

const octet = fc.integer({ min: 0, max: 255 })
const subnet = fc
  .tuple(octet, octet, octet, octet, fc.integer({ min: 0, max: 32 }))
  .map(([a, b, c, d, prefix]) => parseSubnet(`${a}.${b}.${c}.${d}/${prefix}`))

describe('parseSubnet', () => {
  test('clears host bits and takes a bare address as one host', () => {
    assert.equal(formatSubnet(parseSubnet('192.168.77.5/24')), '192.168.77.0/24')
    assert.equal(formatSubnet(parseSubnet('255.255.255.255')), '255.255.255.255/32')
    assert.deepEqual(parseSubnet('1.2.3.4/0'), { address: 0, prefix: 0 })
  })

  for (const text of ['', '10.0.0', '10.0.0.256/24', '10.0.0.0/33', '10.0.0.0/', 'default', '10.0.0.0/24 ', '::/0']) {
    test(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseSubnet(text), { code: 'PARAMETER_INVALID' })
    })
  }

  test('is the inverse of formatSubnet', () => {
    fc.assert(fc.property(subnet, (each) => assert.deepEqual(parseSubnet(formatSubnet(each)), each)))
    fc.assert(fc.property(subnet, (each) => isIPv4(formatSubnet(each).split('/')[0] ?? '')))
  })
})

describe('overlaps', () => {
  test('agrees with a block list of Node', () => {
    fc.assert(
      fc.property(subnet, subnet, (a, b) => {
        const [wide, narrow] = a.prefix <= b.prefix ? [a, b] : [b, a]
        const list = new BlockList()
        list.addSubnet(formatSubnet(wide).split('/')[0] ?? '', wide.prefix)
        assert.equal(overlaps(a, b), list.check(formatSubnet(narrow).split('/')[0] ?? ''))
        assert.equal(overlaps(a, b), overlaps(b, a))
      }),
    )
  })
})

describe('parseUsedSubnets', () => {
  test('reads routes and addresses, without the default route and IPv6', () => {
    const routes = JSON.stringify([
      { dst: 'default', gateway: '10.0.2.2', dev: 'eth0' },
      { dst: '10.0.2.0/24', dev: 'eth0', scope: 'link' },
      { type: 'local', dst: '127.0.0.0/8', dev: 'lo' },
      { dst: 'fe80::/64', dev: 'eth0' },
    ])
    const info = [
      { family: 'inet', local: '10.0.2.15', prefixlen: 24 },
      { family: 'inet6', local: 'fe80::1', prefixlen: 64 },
      { family: 'inet', local: '172.17.0.1', prefixlen: 16 },
    ]
    const used = parseUsedSubnets(
      routes,
      JSON.stringify([{ ifname: 'eth0', addr_info: [...info] }]).replace('64', '32'),
    )
    assert.deepEqual(used.map(formatSubnet), ['10.0.2.0/24', '127.0.0.0/8', '172.17.0.0/16'])
  })

  test('reads what the ip program of this machine prints', async () => {
    const routes = await realProcesses.run('ip', ['-j', '-4', 'route', 'show', 'table', 'all'])
    const addresses = await realProcesses.run('ip', ['-j', '-4', 'address'])
    const used = parseUsedSubnets(routes.stdout, addresses.stdout).map(formatSubnet)
    assert.ok(used.includes('127.0.0.0/8'), used.join(' '))
  })

  test('refuses the text of an ip without JSON', () => {
    assert.throws(() => parseUsedSubnets('10.0.2.0/24 dev eth0', ''), { code: 'HOST_UNSUPPORTED' })
    assert.throws(() => parseUsedSubnets('[{"dev":"eth0"}]', ''), { code: 'HOST_UNSUPPORTED' })
    assert.deepEqual(parseUsedSubnets('', ''), [])
  })
})

describe('pickFreeSubnet', () => {
  const candidates = [parseSubnet('10.213.0.0/24'), parseSubnet('172.20.0.0/22')]

  test('takes the first candidate that is free', () => {
    assert.equal(formatSubnet(pickFreeSubnet(candidates, [])), '10.213.0.0/24')
    const used = [parseSubnet('10.0.0.0/8'), parseSubnet('172.20.0.128/25')]
    assert.equal(formatSubnet(pickFreeSubnet(candidates, used)), '172.20.1.0/24')
  })

  test('refuses when all are taken', () => {
    assert.throws(() => pickFreeSubnet(candidates, [parseSubnet('10.0.0.0/8'), parseSubnet('172.16.0.0/12')]), {
      code: 'NETWORK_UNAVAILABLE',
    })
  })

  test('never picks a network that touches a used one, and refuses only when none is left', () => {
    const within = fc
      .tuple(octet, fc.integer({ min: 16, max: 32 }))
      .map(([c, p]) => parseSubnet(`172.20.${c % 4}.0/${p}`))
    fc.assert(
      fc.property(fc.array(within, { maxLength: 6 }), (used) => {
        const wide = [parseSubnet('172.20.0.0/22')]
        const free = [0, 1, 2, 3].filter((c) => !used.some((each) => overlaps(each, parseSubnet(`172.20.${c}.0/24`))))
        if (free.length === 0) {
          assert.throws(() => pickFreeSubnet(wide, used), { code: 'NETWORK_UNAVAILABLE' })
        } else {
          assert.equal(formatSubnet(pickFreeSubnet(wide, used)), `172.20.${free[0]}.0/24`)
        }
      }),
    )
  })
})
