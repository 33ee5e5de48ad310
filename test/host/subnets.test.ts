import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseUsedSubnets } from '../../src/host/subnets.ts'
import { formatSubnet } from '../../src/model/subnet.ts'
import { realProcesses } from '../support/real-processes.ts'

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
