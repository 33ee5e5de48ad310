import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkNetwork, type KnownNetwork } from '../../src/host/doctor-network.ts'
import { makeDoctorHost, statusOf } from '../support/doctor-tree.ts'

const HEAD = 'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n'
const route = (name: string, destination: string, mask: string): string =>
  `${name}\t${destination}\t00000000\t0001\t0\t0\t0\t${mask}\t0\t0\t0\n`
const dev = (...names: readonly string[]): string =>
  `Inter-|\n face |\n${names.map((name) => `  ${name}: 0 0\n`).join('')}`

const DEFAULT: KnownNetwork = {
  name: 'default',
  bridge: 'virbr0',
  isActive: true,
  isAutostarted: true,
  isOurs: false,
  cidrs: ['192.168.122.0/24'],
}
const ROUTER: KnownNetwork = {
  name: 'uni0',
  bridge: 'uni0',
  isActive: true,
  isAutostarted: false,
  isOurs: true,
  cidrs: [],
}

const WELL = {
  '/proc/net/dev': dev('lo', 'eth0', 'uni0'),
  '/proc/net/route': HEAD + route('eth0', '0002000A', '00FFFFFF'),
  '/proc/sys/net/ipv4/ip_forward': '1\n',
  '/run/iptables-forward': '-P FORWARD ACCEPT\n',
}

test('a host with a router’s network only is well', async (t) => {
  for (const { id, status } of await checkNetwork(await makeDoctorHost(t, WELL), [ROUTER], true))
    assert.equal(status, 'ok', id)
})

test('libvirt’s network default is a problem while it is active or autostarted', async (t) => {
  const host = await makeDoctorHost(t, WELL)
  const status = async (change: Partial<KnownNetwork>): Promise<string> =>
    statusOf(await checkNetwork(host, [{ ...DEFAULT, ...change }], true), 'default-network')
  assert.equal(await status({}), 'problem')
  assert.equal(await status({ isActive: false }), 'problem')
  assert.equal(await status({ isAutostarted: false }), 'problem')
  assert.equal(await status({ isActive: false, isAutostarted: false }), 'ok')
  assert.equal(statusOf(await checkNetwork(host, undefined, true), 'default-network'), 'not-applicable')
})

test('a policy that drops is told, with Docker named where it runs', async (t) => {
  const drop = {
    ...WELL,
    '/run/iptables-forward': '-P FORWARD DROP\n-A FORWARD -j DOCKER-USER\n',
    '/proc/net/dev': dev('lo', 'docker0'),
  }
  const checks = await checkNetwork(await makeDoctorHost(t, drop), [], true)
  assert.equal(statusOf(checks, 'forward-policy'), 'warning')
  assert.match(checks.find(({ id }) => id === 'forward-policy')?.seen ?? '', /Docker/)
  const { '/run/iptables-forward': _rules, ...hidden } = WELL
  assert.equal(statusOf(await checkNetwork(await makeDoctorHost(t, hidden), [], true), 'forward-policy'), 'unknown')
  const libvirt = {
    ...WELL,
    '/run/iptables-forward': '-P FORWARD DROP\n-A FORWARD -j LIBVIRT_FWX\n-A FORWARD -j LIBVIRT_FWI\n',
  }
  assert.equal(statusOf(await checkNetwork(await makeDoctorHost(t, libvirt), [], true), 'forward-policy'), 'ok')
})

test('a host that does not forward is told only where a network is active', async (t) => {
  const host = await makeDoctorHost(t, { ...WELL, '/proc/sys/net/ipv4/ip_forward': '0\n' })
  assert.equal(statusOf(await checkNetwork(host, [ROUTER], true), 'ip-forward'), 'warning')
  assert.equal(statusOf(await checkNetwork(host, [], true), 'ip-forward'), 'ok')
})

test('a bridge and a dnsmasq without an active network are left over', async (t) => {
  const files = {
    ...WELL,
    '/proc/net/dev': dev('lo', 'virbr7'),
    '/proc/812/comm': 'dnsmasq\n',
    '/proc/812/cmdline': '/usr/sbin/dnsmasq\0--conf-file=/var/lib/libvirt/dnsmasq/gone.conf\0',
  }
  const checks = await checkNetwork(await makeDoctorHost(t, files), [ROUTER], true)
  const found = checks.find(({ id }) => id === 'leftovers')
  assert.equal(found?.status, 'warning')
  assert.match(found.seen, /virbr7.*dnsmasq of gone/)
  assert.equal(
    statusOf(await checkNetwork(await makeDoctorHost(t, files), [ROUTER], false), 'leftovers'),
    'not-applicable',
  )
})

test('two interfaces, or an interface and a network that may start, with one subnet are told', async (t) => {
  const twice = {
    ...WELL,
    '/proc/net/route': HEAD + route('eth0', '0002000A', '00FFFFFF') + route('wlan0', '0000000A', '000000FF'),
  }
  assert.equal(statusOf(await checkNetwork(await makeDoctorHost(t, twice), [], true), 'subnets'), 'warning')
  const idle = { ...DEFAULT, isActive: false, isAutostarted: false, cidrs: ['10.0.2.0/25'] }
  assert.equal(statusOf(await checkNetwork(await makeDoctorHost(t, WELL), [idle], true), 'subnets'), 'warning')
  assert.equal(statusOf(await checkNetwork(await makeDoctorHost(t, WELL), [idle], false), 'subnets'), 'ok')
})
