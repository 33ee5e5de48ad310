import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkLans, type LanState } from '../../src/host/doctor-lan.ts'
import { checkNetwork } from '../../src/host/doctor-network.ts'
import { makeDoctorHost, statusOf } from '../support/doctor-tree.ts'

const HEAD = 'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n'
const WELL: LanState = { bridges: ['vmp-uni0'], rules: { faults: [] }, openPorts: [], ownsCard: false }
const FILES = { '/proc/net/route': HEAD, '/sys/class/net/vmp-uni0/ifindex': '7\n' }

test('a LAN with rules and filters and without the host is well', async (t) => {
  for (const { id, status } of await checkLans(await makeDoctorHost(t, FILES), WELL, true))
    assert.equal(status, 'ok', id)
})

test('without a LAN, or without libvirt, there is nothing to say', async (t) => {
  const host = await makeDoctorHost(t, FILES)
  for (const state of [undefined, { ...WELL, bridges: [] }]) {
    for (const { status } of await checkLans(host, state, true)) assert.equal(status, 'not-applicable')
  }
})

test('rules that do not hold are a problem, and unknown where they cannot be seen', async (t) => {
  const host = await makeDoctorHost(t, FILES)
  const rules = async (found: LanState['rules']): Promise<string> =>
    statusOf(await checkLans(host, { ...WELL, rules: found }, true), 'host-rules')
  assert.equal(await rules({ faults: ['there are no tables vmpkg'] }), 'problem')
  assert.equal(await rules({ refusal: 'only root' }), 'unknown')
})

test('a port without a filter is a problem', async (t) => {
  const checks = await checkLans(await makeDoctorHost(t, FILES), { ...WELL, openPorts: ['snoop on uni0'] }, true)
  assert.equal(statusOf(checks, 'lan-ports'), 'problem')
})

test('G1: an address or a route of the host on a LAN is a problem, and so is a network manager there', async (t) => {
  const addresses = async (files: Readonly<Record<string, string>>, sharesNetwork = true): Promise<string> =>
    statusOf(await checkLans(await makeDoctorHost(t, { ...FILES, ...files }), WELL, sharesNetwork), 'lan-addresses')
  const route = `${HEAD}vmp-uni0\t0001010A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n`
  const six = 'fe800000000000000000000000000001 07 40 20 80 vmp-uni0\n'
  assert.equal(await addresses({ '/proc/net/route': route }), 'problem')
  assert.equal(await addresses({ '/proc/net/if_inet6': six }), 'problem')
  assert.equal(await addresses({ '/proc/net/if_inet6': six.replace('uni0', 'uni01') }), 'ok')
  assert.equal(await addresses({ '/run/NetworkManager/devices/7': '[device]\nmanaged=true\n' }), 'problem')
  assert.equal(await addresses({ '/run/NetworkManager/devices/7': '[device]\nmanaged=false\n' }), 'ok')
  assert.equal(await addresses({ '/proc/net/route': route }, false), 'not-applicable')
})

test('G5: a default route of the host or a network manager is a problem where a router has a card of it', async (t) => {
  const route = `${HEAD}eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n`
  const silence = async (files: Readonly<Record<string, string>>, ownsCard: boolean): Promise<string> =>
    statusOf(await checkNetwork(await makeDoctorHost(t, files), [], true, ownsCard), 'host-silence')
  const manager = {
    '/proc/net/route': HEAD,
    '/proc/88/comm': 'NetworkManager\n',
    '/proc/88/cmdline': 'NetworkManager\0',
  }
  assert.equal(await silence({ '/proc/net/route': route }, true), 'problem')
  assert.equal(await silence({ '/proc/net/route': route }, false), 'ok')
  assert.equal(await silence(manager, true), 'problem')
  assert.equal(await silence({ '/proc/net/route': HEAD }, true), 'ok')
})
