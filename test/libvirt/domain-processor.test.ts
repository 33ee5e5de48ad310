/** Virtual processors of a real guest and of the test driver: where they run, what they used. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { withoutLibvirt } from '../support/private-libvirt.ts'
import { fails, type SessionDomains, startSession } from '../support/session-domain.ts'

describe('Domain processors', { skip: withoutLibvirt, timeout: 60_000 }, () => {
  let session: SessionDomains
  before(async () => {
    session = await startSession()
  })
  after(async () => {
    await session?.[Symbol.asyncDispose]()
  })

  test('are pinned to processors of the host by their numbers', async () => {
    await session.withGuest({ name: 'pinned' }, async (domain) => {
      const [all = []] = await domain.getVcpuPinInfo({ ncpumaps: 1 })
      assert.ok(all.includes(0), 'nothing is pinned at first')
      await domain.pinVcpu({ vcpu: 0, cpumap: [0] })
      assert.deepEqual(await domain.getVcpuPinInfo({ ncpumaps: 5 }), [[0]])
      const { info, cpumaps } = await domain.getVcpus({ maxinfo: 5 })
      assert.deepEqual(cpumaps, [[0]])
      assert.deepEqual([info.length, info[0]?.number, info[0]?.state], [1, 0, 'running'])
      await domain.pinEmulator({ cpumap: [0] })
      assert.deepEqual(await domain.getEmulatorPinInfo(), [0])
      await assert.rejects(domain.pinVcpu({ vcpu: 9, cpumap: [0] }), fails('invalidArg'))
      await assert.rejects(domain.pinVcpu({ vcpu: 0, cpumap: [16_383] }), fails('systemError'))
      await assert.rejects(domain.setVcpu({ cpumap: '0', state: false }), fails('operationUnsupported'))
    })
  })

  test('are not listed of a domain that does not run, but their pins are', async () => {
    const xml =
      "<domain type='qemu'><name>off</name><memory>32768</memory><vcpu>2</vcpu><os><type>hvm</type></os></domain>"
    const domain = await session.connect.domainDefineXML({ xml })
    await domain.pinVcpu({ vcpu: 1, cpumap: [0] })
    assert.deepEqual((await domain.getVcpuPinInfo({ ncpumaps: 2 }))[1], [0])
    await assert.rejects(domain.getVcpus({ maxinfo: 1 }), fails('operationInvalid'))
    await assert.rejects(domain.getCPUStats(), fails('operationInvalid'))
    await domain.undefine()
  })
})

describe('Domain processors of the test driver', { skip: withoutLibvirt, timeout: 60_000 }, () => {
  test('have used time, in all and on each of the host', async () => {
    await using session = await startSession('test:///default')
    const domain = await session.connect.domainLookupByName({ name: 'test' })
    const whole = await domain.getCPUStats()
    assert.equal(whole.length, 1)
    assert.deepEqual(Object.keys(whole[0] ?? {}), ['cpu_time', 'user_time', 'system_time'])
    const each = await domain.getCPUStats({ startCpu: 0, ncpus: 2 })
    assert.equal(each.length, 2)
    const used: bigint | undefined = each[1]?.vcpu_time
    assert.ok(used !== undefined && used > 0n)
    await assert.rejects(domain.getCPUStats({ startCpu: 99 }), fails('invalidArg'))
  })
})
