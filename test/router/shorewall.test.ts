import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { renderShorewall, type ShorewallPolicy } from '../../src/router/shorewall.ts'

const endpoints = [{ address: '203.0.113.7', protocol: 'udp', port: 443 }] as const
const uni: ShorewallPolicy = {
  wan: { device: 'eth1' },
  lan: { device: 'eth0', cidr: '10.1.1.0/24', address: '10.1.1.1' },
  house: '192.168.1.0/24',
  lowers: [{ address: '10.1.1.100', endpoints }],
}
const gal: ShorewallPolicy = {
  wan: { device: 'eth0' },
  lan: { device: 'eth1', cidr: '10.2.2.0/24', address: '10.2.2.1' },
  lowers: [],
  tunnel: { device: 'tun0', endpoints },
}

/** Rows without comments, words apart. */
function rows(policy: ShorewallPolicy, name: string): readonly string[] {
  const text = renderShorewall(policy).get(name) ?? ''
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.replaceAll('\t', ' '))
}

describe('uni', () => {
  test('has the zones, hosts and interfaces of its layer (SHW-U1 to U3)', () => {
    assert.deepEqual(rows(uni, 'zones'), ['fw firewall', 'wan ipv4', 'lan:wan ipv4', 'uni ipv4'])
    assert.deepEqual(rows(uni, 'hosts'), ['uni eth0:10.1.1.0/24', 'lan eth1:192.168.1.0/24'])
    assert.deepEqual(rows(uni, 'interfaces'), [
      '?FORMAT 2',
      'wan eth1 tcpflags,nosmurfs,routefilter,logmartians,sourceroute=0,dhcp',
      '- eth0 tcpflags,nosmurfs,routefilter,logmartians,sourceroute=0,dhcp',
    ])
  })

  test('translates its own LAN only, and lets it out (SHW-U4, U5)', () => {
    assert.deepEqual(rows(uni, 'snat'), ['MASQUERADE 10.1.1.0/24 eth1'])
    assert.deepEqual(rows(uni, 'policy'), ['uni wan ACCEPT', 'uni lan ACCEPT', 'all all DROP'])
  })

  test('lets a lower router to its endpoints only, and forgets what was established with others', () => {
    assert.deepEqual(rows(uni, 'rules'), [
      '?SECTION ESTABLISHED',
      'ACCEPT uni:10.1.1.100 wan:203.0.113.7 udp 443',
      'ACCEPT wan:203.0.113.7 uni:10.1.1.100 udp - 443',
      'DROP uni:10.1.1.100 all',
      'DROP all uni:10.1.1.100',
      '?SECTION RELATED',
      'DROP uni:10.1.1.100 all',
      'DROP all uni:10.1.1.100',
      '?SECTION INVALID',
      'DROP all all',
      '?SECTION NEW',
      'ACCEPT uni:10.1.1.100 wan:203.0.113.7 udp 443',
      'DROP uni:10.1.1.100 all',
      'ACCEPT uni fw:10.1.1.1 udp,tcp 53',
      'ACCEPT fw wan udp,tcp 53',
    ])
  })
})

describe('gal', () => {
  test('has the zones, hosts and interfaces of its layer (SHW-G1 to G3)', () => {
    assert.deepEqual(rows(gal, 'zones'), ['fw firewall', 'wan ipv4', 'gal ipv4', 'vpn ipv4'])
    assert.deepEqual(rows(gal, 'hosts'), ['gal eth1:10.2.2.0/24'])
    assert.deepEqual(rows(gal, 'interfaces').slice(1), [
      'wan eth0 tcpflags,nosmurfs,routefilter,logmartians,sourceroute=0',
      '- eth1 tcpflags,nosmurfs,routefilter,logmartians,sourceroute=0,dhcp',
      'vpn tun0 tcpflags,nosmurfs,routefilter,logmartians,sourceroute=0,optional',
    ])
  })

  test('translates on the tunnel only, and lets its LAN nowhere else (SHW-G4, G5)', () => {
    assert.deepEqual(rows(gal, 'snat'), ['MASQUERADE 10.2.2.0/24 tun0'])
    assert.deepEqual(rows(gal, 'policy'), ['gal vpn ACCEPT', 'gal wan DROP', 'vpn gal DROP', 'all all DROP'])
  })

  test('sends nothing but the tunnel’s own packets out, and lets no old connection past it', () => {
    assert.deepEqual(rows(gal, 'rules'), [
      '?SECTION ESTABLISHED',
      'DROP gal wan',
      'DROP wan gal',
      'ACCEPT fw wan:203.0.113.7 udp 443',
      'ACCEPT wan:203.0.113.7 fw udp - 443',
      'DROP fw wan',
      'DROP wan fw',
      '?SECTION RELATED',
      'DROP gal wan',
      'DROP wan gal',
      'DROP fw wan',
      'DROP wan fw',
      '?SECTION INVALID',
      'DROP all all',
      '?SECTION NEW',
      'ACCEPT gal fw:10.2.2.1 udp,tcp 53',
      'ACCEPT fw vpn udp,tcp 53',
      'ACCEPT fw wan:203.0.113.7 udp 443',
    ])
  })
})

test('the last policy drops everything, whatever comes before (SHW-U8)', () => {
  for (const policy of [uni, gal, { ...uni, lowers: [] }]) assert.equal(rows(policy, 'policy').at(-1), 'all all DROP')
})

test('a device that is no name, or stands for two sides, is refused', () => {
  for (const device of ['', 'eth0 x', 'eth0\nall', 'eth1', '-', 'a'.repeat(16)]) {
    assert.throws(() => renderShorewall({ ...uni, lan: { ...uni.lan, device } }), { code: 'PARAMETER_INVALID' }, device)
  }
})

test('a lower router that uses Tor’s consensus reaches TCP in the tunnel, and nothing where there is none', () => {
  const lowers = [{ address: '10.2.2.2', endpoints: [], reach: 'tor' }] as const
  const found = rows({ ...gal, lowers }, 'rules').filter((row) => row.includes('10.2.2.2'))
  const drops = ['DROP gal:10.2.2.2 all', 'DROP all gal:10.2.2.2']
  assert.deepEqual(found, [
    'ACCEPT gal:10.2.2.2 vpn tcp',
    'ACCEPT vpn gal:10.2.2.2 tcp',
    ...drops,
    ...drops,
    'ACCEPT gal:10.2.2.2 vpn tcp',
    'DROP gal:10.2.2.2 all',
  ])
  assert.ok(rows({ ...uni, lowers }, 'rules').every((row) => !/ACCEPT .*10\.2\.2\.2/.test(row)))
})
