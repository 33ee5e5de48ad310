/** Shares and limits: read, set, read again; of the test driver where a session may not tune. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Domain } from '../../src/libvirt/domain.ts'
import { LibvirtError } from '../../src/libvirt/error.ts'
import { withoutLibvirt } from '../support/private-libvirt.ts'
import { fails, type SessionDomains, startSession } from '../support/session-domain.ts'

/** This side turns an older daemon's answer into it. */
const lacks = (error: unknown) => error instanceof LibvirtError && error.is('noSupport')

describe('Domain tuning on the test driver', { skip: withoutLibvirt, timeout: 60_000 }, () => {
  let session: SessionDomains
  let domain: Domain
  before(async () => {
    session = await startSession('test:///default')
    domain = await session.connect.domainLookupByName({ name: 'test' })
  })
  after(async () => {
    await session?.[Symbol.asyncDispose]()
  })

  test('takes weights by device as text, which comes back', async () => {
    await domain.setBlkioParameters({ params: { weight: 500, device_weight: '/dev/null,200' }, flags: ['config'] })
    const set = await domain.getBlkioParameters({ flags: ['config'] })
    assert.deepEqual([set.weight, set.device_weight], [500, '/dev/null,200'])
    await domain.setBlkioParameters({ params: set, flags: ['config'] })
  })

  test('takes NUMA nodes and a mode by its name', async () => {
    await domain.setNumaParameters({ params: { numa_mode: 'preferred', numa_nodeset: '0' }, flags: ['config'] })
    const { numa_mode, numa_nodeset } = await domain.getNumaParameters({ flags: ['config'] })
    assert.deepEqual([numa_mode, numa_nodeset], ['preferred', '0'])
  })

  test('takes the scheduler it has, and its names', async () => {
    assert.equal(await domain.getSchedulerType(), 'fair')
    await domain.setSchedulerParameters({ params: { weight: 60 } })
    await assert.rejects(domain.setSchedulerParameters({ params: { cap: 10 } }), fails('argumentUnsupported'))
    // The daemon adds a flag to every reading of parameters, and this driver knows none.
    await assert.rejects(domain.getSchedulerParameters(), fails('invalidArg'))
  })

  test('takes memory limits and the bandwidth of a card', async () => {
    await domain.setMemoryParameters({ params: { hard_limit: 10_000 } })
    assert.equal((await domain.getMemoryParameters()).hard_limit, 10_000n)
    const device = (await domain.interfaceAddresses({ source: 'lease' }))[0]?.name ?? ''
    await domain.setInterfaceParameters({ device, params: { 'inbound.average': 100, 'inbound.burst': 10 } })
    const set = await domain.getInterfaceParameters({ device })
    assert.deepEqual([set['inbound.average'], set['inbound.burst'], set['outbound.average']], [100, 10, 0])
  })
})

describe('Domain tuning in a session', { skip: withoutLibvirt, timeout: 60_000 }, () => {
  let session: SessionDomains
  before(async () => {
    session = await startSession()
  })
  after(async () => {
    await session?.[Symbol.asyncDispose]()
  })

  test('limits a disk, by a group whose name comes back', async () => {
    await session.withGuest({ name: 'limited' }, async (domain) => {
      await domain.setBlockIoTune({ disk: 'vda', params: { total_iops_sec: 100, group_name: 'both' } })
      const tune = await domain.getBlockIoTune({ disk: 'vda' })
      assert.deepEqual([tune.total_iops_sec, tune.read_iops_sec, tune.group_name], [100n, 0n, 'both'])
      const wrong = { total_iops_sec: 1, read_iops_sec: 1 }
      await assert.rejects(domain.setBlockIoTune({ disk: 'vda', params: wrong }), fails('invalidArg'))
      await domain.setPerfEvents({ params: { cpu_clock: true }, flags: ['config'] })
      const events = await domain.getPerfEvents({ flags: ['config'] })
      assert.deepEqual([events.cpu_clock, events.cmt], [true, false])
    })
  })

  test('has groups of limits since libvirt 11.2', async () => {
    const isThere = (await session.connect.getLibVersion()) >= 11_002_000
    await session.withGuest({ name: 'groups' }, async (domain) => {
      const group = { group: 'g', flags: ['config'] } as const
      const making = domain.setThrottleGroup({ ...group, params: { total_bytes_sec: 100_000, group_name: 'g' } })
      if (!isThere) return assert.rejects(making, lacks)
      await making
      assert.match(await domain.getXMLDesc({ flags: ['inactive'] }), /<group_name>g</)
      await domain.delThrottleGroup(group)
      assert.doesNotMatch(await domain.getXMLDesc({ flags: ['inactive'] }), /<group_name>g</)
      return undefined
    })
  })

  test('has no control groups, and says so', async () => {
    await session.withGuest({ name: 'session' }, async (domain) => {
      await assert.rejects(domain.getSchedulerType(), fails('operationUnsupported'))
      await assert.rejects(domain.getSchedulerParameters(), fails('configUnsupported'))
      await assert.rejects(domain.getBlkioParameters(), fails('configUnsupported'))
      await assert.rejects(domain.getMemoryParameters(), fails('operationUnsupported'))
    })
  })
})
