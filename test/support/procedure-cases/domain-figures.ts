/** Domains: processors, memory, devices, limits and statistics. */
import assert from 'node:assert/strict'
import type { Exercise } from './exercise.ts'

const isEmptyOrObject = (value: unknown) => assert.equal(typeof value, 'object')
const NIC = "<interface type='user'><mac address='52:54:00:00:00:07'/><model type='virtio'/></interface>"
const cdrom = (source: string) =>
  `<disk type='file' device='cdrom'><driver name='qemu' type='raw'/>${source}<target dev='sda' bus='sata'/><readonly/></disk>`

export async function givesFigures(x: Exercise): Promise<void> {
  const disk = await x.bootDisk('figures.raw')
  await x.withDomain({ name: 'figures', disk, devices: NIC }, async (domain) => {
    await domain.create({ flags: ['paused'] })
    await x.tries(x.connect.getAllDomainStats({ domains: [domain], stats: ['state', 'block'] }), ([stats]) => {
      assert.equal(stats?.domain.uuid, domain.uuid)
      assert.equal(stats?.params['block.count'], 1)
    })
    await x.tries(domain.getVcpusCount({ flags: ['live'] }), (count) => assert.equal(count, 1))
    await x.tries(domain.getVcpus({ maxinfo: 1 }), ({ info }) => assert.equal(info.length, 1))
    await x.tries(domain.setVcpus({ count: 1, flags: ['config'] }))
    await x.tries(domain.setMemory({ memory: 32_768n, flags: ['config'] }))
    await x.tries(domain.setMemoryStatsPeriod({ period: 1, flags: ['config'] }))
    await x.tries(domain.memoryStats(), (stats) => assert.ok(stats.some(({ tag }) => tag === 'rss')))
    await x.tries(domain.blockStats({ path: 'vda' }), ({ rdReq }) => assert.ok(rdReq >= 0n))
    await x.tries(domain.interfaceStats({ device: 'none' }))
    await x.tries(domain.getDiskErrors(), ({ nerrors }) => assert.equal(nerrors, 0))
    await x.tries(domain.getBlockInfo({ path: 'vda' }), ({ capacity }) => assert.equal(capacity, 1_048_576n))
    await x.tries(domain.blockPeek({ path: 'vda', offset: 510n, size: 2 }), (bytes) =>
      assert.equal(bytes.toString('hex'), '55aa'),
    )
    await x.tries(domain.memoryPeek({ offset: 0n, size: 16, flags: ['physical'] }), (bytes) =>
      assert.equal(bytes.length, 16),
    )
    await x.tries(domain.getJobInfo(), ({ type }) => assert.equal(type, 'none'))
    await x.tries(domain.getJobStats(), ({ type }) => assert.equal(type, 'none'))
    await x.tries(domain.interfaceAddresses({ source: 'lease' }))
    await x.tries(domain.getHostname({ flags: ['agent'] }))
  })
}

export async function isLimited(x: Exercise): Promise<void> {
  const disk = await x.bootDisk('limits.raw')
  await x.withDomain({ name: 'limits', disk, devices: NIC }, async (domain) => {
    const affect = { flags: ['config'] } as const
    await x.tries(domain.pinVcpu({ vcpu: 0, cpumap: [0], ...affect }))
    await x.tries(domain.pinEmulator({ cpumap: [0], ...affect }))
    const megabytes = [{ field: 'hard_limit', type: 'u64', value: 1_048_576n }] as const
    await x.tries(domain.setMemoryParameters({ params: megabytes, ...affect }))
    await x.tries(domain.getMemoryParameters(affect), (read) => assert.equal(read['hard_limit'], 1_048_576n))
    const shares = [{ field: 'cpu_shares', type: 'u64', value: 512n }] as const
    await x.tries(domain.setSchedulerParameters({ params: shares, ...affect }))
    await x.tries(domain.getSchedulerParameters(affect), (read) => assert.equal(read['cpu_shares'], 512n))
    const rate = [{ field: 'total_bytes_sec', type: 'u64', value: 1_000_000n }] as const
    await x.tries(domain.setBlockIoTune({ disk: 'vda', params: rate, ...affect }))
    await x.tries(domain.getBlockIoTune({ disk: 'vda', ...affect }), (read) =>
      assert.equal(read['total_bytes_sec'], 1_000_000n),
    )
    const inbound = [{ field: 'inbound.average', type: 'u32', value: 60 }] as const
    await x.tries(domain.setInterfaceParameters({ device: '52:54:00:00:00:07', params: inbound, ...affect }))
  })
}

export async function tellsOfItsLimits(x: Exercise): Promise<void> {
  const disk = await x.bootDisk('tunable.raw')
  await x.withDomain({ name: 'tunable', disk }, async (domain) => {
    await domain.create({ flags: ['paused'] })
    const rate = [{ field: 'total_bytes_sec', type: 'u64', value: 1_000_000n }] as const
    await domain.setBlockIoTune({ disk: 'vda', params: rate, flags: ['live'] })
    await x.events.until('domain.tunable', () => true)
  })
}

export async function changesItsDevices(x: Exercise): Promise<void> {
  const data = await x.daemon.makeFile('data.raw', Buffer.alloc(65_536))
  await x.withDomain({ name: 'devices', devices: cdrom('') }, async (domain) => {
    const xml = `<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='${data}'/><target dev='vdb' bus='virtio'/></disk>`
    await x.tries(domain.attachDevice({ xml, flags: ['config'] }))
    assert.match(await domain.getXMLDesc(), /data\.raw/)
    await x.tries(domain.detachDevice({ xml, flags: ['config'] }))
    await domain.create({ flags: ['paused'] })
    await x.tries(domain.updateDevice({ xml: cdrom(`<source file='${data}'/>`), flags: ['live', 'force'] }))
    const rng = "<rng model='virtio'><backend model='random'>/dev/urandom</backend><alias name='ua-rng'/></rng>"
    await domain.attachDevice({ xml: rng, flags: ['live'] })
    await x.events.until('domain.deviceAdded', (e) => e.devAlias === 'ua-rng')
    await x.tries(domain.detachDeviceAlias({ alias: 'ua-rng', flags: ['live'] }))
    await x.tries(domain.agentSetResponseTimeout({ timeout: 5 }), (result) => assert.equal(result, 0))
    await x.tries(domain.monitorCommand({ command: 'info version', flags: ['hmp'] }), (text) =>
      assert.match(text, /\d+\.\d+/),
    )
  })
}

/** The test driver keeps in memory what QEMU needs control groups, a tap device or an agent for. */
export async function askTheTestDriver(x: Exercise): Promise<void> {
  if (x.test === undefined) return
  const domain = await x.test.domainLookupByName({ name: 'test' })
  const systems = await x.tries(domain.getFSInfo(), ([first]) => assert.equal(first?.mountpoint, '/'))
  await x.tries(domain.fsFreeze(), (frozen) => assert.equal(frozen, systems?.length))
  await x.tries(domain.fsThaw(), (thawed) => assert.equal(thawed, systems?.length))
  await x.tries(domain.fsTrim())
  await x.tries(domain.setTime({ seconds: 1_700_000_000n, nseconds: 7 }))
  await x.tries(domain.getTime(), ({ seconds }) => assert.ok(seconds > 0n))
  await x.tries(domain.getHostname(), (name) => assert.equal(name, 'testhost'))
  await x.tries(domain.setUserPassword({ user: 'user', password: 'secret' }))
  await x.tries(domain.getGuestInfo({ types: ['os'] }), isEmptyOrObject)
  const [nic] = await x.does(domain.interfaceAddresses({ source: 'lease' }), ([first]) =>
    assert.match(first?.addresses[0]?.address ?? '', /^\d+\.\d+/),
  )
  const device = nic?.name ?? ''
  await x.tries(domain.interfaceStats({ device }), ({ rxBytes }) => assert.ok(rxBytes >= 0n))
  await x.tries(
    domain.setInterfaceParameters({ device, params: [{ field: 'inbound.average', type: 'u32', value: 60 }] }),
  )
  await x.tries(domain.pinEmulator({ cpumap: [0] }))
  await x.tries(domain.setMemoryParameters({ params: [{ field: 'hard_limit', type: 'u64', value: 10_000n }] }))
  await x.tries(domain.getMemoryParameters(), (read) => assert.equal(read['hard_limit'], 10_000n))
  await x.tries(domain.setSchedulerParameters({ params: [{ field: 'weight', type: 'u32', value: 60 }] }))
  await x.tries(domain.getSchedulerParameters(), (read) => assert.equal(typeof read['weight'], 'number'))
  await x.tries(domain.setMemoryStatsPeriod({ period: 1, flags: ['config'] }))
}
