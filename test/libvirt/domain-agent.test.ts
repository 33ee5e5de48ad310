/** What a guest's agent would answer, from libvirt's test driver behind a real daemon; and its devices' figures. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Connect } from '../../src/libvirt/connect.ts'
import type { Domain } from '../../src/libvirt/domain.ts'
import { agentMethods } from '../../src/libvirt/domain-agent.ts'
import { LibvirtError } from '../../src/libvirt/error.ts'
import { type PrivateLibvirt, startPrivateLibvirt, withoutLibvirt } from '../support/private-libvirt.ts'
import { notRecorded, recordCalls } from '../support/recorded-calls.ts'

const lacks = (error: unknown) => error instanceof LibvirtError && error.is('noSupport') && !error.local

describe('Domain of the test driver', { skip: withoutLibvirt, timeout: 60_000 }, () => {
  const recorded = recordCalls()
  let daemon: PrivateLibvirt
  let connect: Connect
  let domain: Domain
  before(async () => {
    daemon = await startPrivateLibvirt()
    connect = await Connect.open(daemon.uri('test:///default'))
    domain = await connect.domainLookupByName({ name: 'test' })
  })
  after(async () => {
    await connect?.close()
    await daemon?.stop()
  })

  test('tells of its file systems, and freezes, thaws and trims them', async () => {
    const systems = await domain.getFSInfo()
    assert.deepEqual(systems[0], { mountpoint: '/', name: 'vda1', fstype: 'ext4', devAliases: ['vda'] })
    assert.equal(await domain.fsFreeze(), systems.length)
    assert.equal(await domain.fsThaw({ mountpoints: ['/'] }), 1)
    await domain.fsThaw()
    await domain.fsTrim()
  })

  test('tells and takes the time, a name and a password', async () => {
    await domain.setTime({ seconds: 1_700_000_000n, nseconds: 7 })
    assert.equal(typeof (await domain.getTime()).seconds, 'bigint')
    assert.equal(await domain.getHostname(), 'testhost')
    await domain.setUserPassword({ user: 'user', password: 'secret' })
  })

  test('shows its screen as a picture of the type it says', async () => {
    const { mime, stream } = await domain.screenshot({ screen: 0 })
    const parts: Buffer[] = []
    for await (const part of stream) parts.push(part as Buffer)
    assert.equal(mime, 'image/png')
    assert.equal(Buffer.concat(parts).toString('latin1', 1, 4), 'PNG')
  })

  test('pins, limits and counts', async () => {
    await domain.pinVcpu({ vcpu: 0, cpumap: [0] })
    await domain.pinEmulator({ cpumap: [0] })
    await domain.setMemoryParameters({ params: { hard_limit: 10_000 } })
    assert.equal((await domain.getMemoryParameters())['hard_limit'], 10_000n)
    await domain.setSchedulerParameters({ params: { weight: 60 } })
    await domain.setMemoryStatsPeriod({ period: 1, flags: ['config'] })
    const [nic] = await domain.interfaceAddresses({ source: 'lease' })
    assert.equal(typeof (await domain.interfaceStats({ device: nic?.name ?? '' })).rxBytes, 'bigint')
    const limit = { 'inbound.average': 60 }
    await domain.setInterfaceParameters({ device: nic?.name ?? '', params: limit })
  })

  test('describes its host', async () => {
    assert.match(await connect.getSysinfo(), /<sysinfo type='smbios'>/)
  })

  test('says of the rest that this driver has it not', async () => {
    const missing = notRecorded(agentMethods, recorded)
    assert.deepEqual(missing, [
      'DOMAIN_AGENT_COMMAND',
      'DOMAIN_AGENT_SET_RESPONSE_TIMEOUT',
      'DOMAIN_GET_GUEST_INFO',
      'DOMAIN_AUTHORIZED_SSH_KEYS_GET',
      'DOMAIN_AUTHORIZED_SSH_KEYS_SET',
      'DOMAIN_MONITOR_COMMAND',
    ])
    await assert.rejects(domain.agentCommand({ command: '{"execute":"guest-ping"}' }), lacks)
    await assert.rejects(domain.agentSetResponseTimeout({ timeout: 5 }), lacks)
    await assert.rejects(domain.getGuestInfo({ types: ['users', 'os'] }), lacks)
    await assert.rejects(domain.authorizedSSHKeysGet({ user: 'user' }), lacks)
    await assert.rejects(domain.authorizedSSHKeysSet({ user: 'user', keys: ['key'], flags: ['append'] }), lacks)
  })
})
