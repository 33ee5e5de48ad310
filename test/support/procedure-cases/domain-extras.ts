/** Domains: what is set by processor, thread, limit and label, and what is asked of them seldom. */
import assert from 'node:assert/strict'
import { guestXml } from '../guest-xml.ts'
import type { Exercise } from './exercise.ts'

const config = { flags: ['config'] } as const
const live = { flags: ['live'] } as const
const isObject = (value: unknown) => assert.equal(typeof value, 'object')

export async function hasProcessorsAndThreads(x: Exercise): Promise<void> {
  await x.withDomain({ name: 'threads' }, async (domain) => {
    await domain.create({ flags: ['paused'] })
    await x.tries(domain.getVcpuPinInfo({ ncpumaps: 1 }), ([first]) => assert.ok(first?.includes(0)))
    await x.tries(domain.pinVcpu({ vcpu: 0, cpumap: [0] }))
    await x.tries(domain.pinEmulator({ cpumap: [0] }))
    await x.tries(domain.getEmulatorPinInfo(), (cpus) => assert.deepEqual(cpus, [0]))
    await x.tries(domain.setVcpu({ cpumap: '0', state: true, ...live }))
    await x.tries(domain.addIOThread({ iothreadId: 3, ...live }))
    await x.tries(domain.setIOThreadParams({ iothreadId: 3, params: { poll_max_ns: 1000 }, ...live }))
    await x.tries(domain.pinIOThread({ iothreadId: 3, cpumap: [0], ...live }))
    await x.tries(domain.getIOThreadInfo(live), (threads) =>
      assert.deepEqual(threads, [{ iothreadId: 3, cpumap: [0] }]),
    )
    await x.tries(domain.delIOThread({ iothreadId: 3, ...live }))
    await x.tries(domain.getControlInfo(), ({ state }) => assert.equal(state, 'ok'))
    await x.tries(domain.getOSType(), (type) => assert.equal(type, 'hvm'))
    await x.tries(domain.getMaxMemory(), (kib) => assert.equal(kib, 32_768n))
    await x.tries(domain.getCPUStats(), ([whole]) => assert.ok((whole?.cpu_time ?? 0n) > 0n))
    await x.tries(domain.setLifecycleAction({ type: 'crash', action: 'preserve', ...config }))
    await x.tries(domain.sendProcessSignal({ pidValue: 1n, signum: 'term' }))
    await x.tries(domain.startDirtyRateCalc({ seconds: 1 }))
  })
  const hotplug = guestXml({ name: 'hotplug' }).replace('<vcpu>1</vcpu>', HOTPLUG)
  const domain = await x.connect.domainDefineXML({ xml: hotplug })
  await x.tries(domain.setVcpu({ cpumap: '1', state: true, ...config }))
  await domain.undefine()
}

const HOTPLUG = `<vcpu current='1'>2</vcpu><vcpus><vcpu id='0' enabled='yes' hotpluggable='no'/>
  <vcpu id='1' enabled='no' hotpluggable='yes'/></vcpus>`

export async function isTuned(x: Exercise): Promise<void> {
  const disk = await x.bootDisk('tuned.raw')
  const nic = "<interface type='user'><mac address='52:54:00:00:00:08'/></interface>"
  await x.withDomain({ name: 'tuned', disk, devices: nic }, async (domain) => {
    const mac = '52:54:00:00:00:08'
    await x.tries(domain.getInterfaceParameters({ device: mac, ...config }), isObject)
    await x.tries(domain.getSchedulerType(), ({ length }) => assert.ok(length > 0))
    await x.tries(domain.setBlkioParameters({ params: { weight: 500 }, ...config }))
    await x.tries(domain.getBlkioParameters(config), (read) => assert.equal(read.weight, 500))
    await x.tries(domain.setNumaParameters({ params: { numa_nodeset: '0' }, ...config }))
    await x.tries(domain.getNumaParameters(config), (read) => assert.equal(read.numa_nodeset, '0'))
    await x.tries(domain.setPerfEvents({ params: { cpu_clock: true }, ...config }))
    await x.tries(domain.getPerfEvents(config), (read) => assert.equal(read.cpu_clock, true))
    await x.tries(domain.setThrottleGroup({ group: 'slow', params: { total_bytes_sec: 100_000 }, ...config }))
    await x.tries(domain.delThrottleGroup({ group: 'slow', ...config }))
  })
  await x.withDomain({ name: 'labelled', disk }, async (domain) => {
    await domain.create({ flags: ['paused'] })
    await x.tries(domain.blockStatsFlags({ path: 'vda' }), isObject)
    await x.tries(domain.getSecurityLabel(), ({ label }) => assert.equal(typeof label, 'string'))
    await x.tries(domain.getSecurityLabelList(), (labels) => assert.ok(labels.length > 0))
    await x.tries(domain.getLaunchSecurityInfo(), isObject)
    const secret = { 'sev-secret': 'eA==', 'sev-secret-header': 'eA==' }
    await x.tries(domain.setLaunchSecurityState({ params: secret }))
  })
  if (x.test === undefined) return
  const domain = await x.test.domainLookupByName({ name: 'test' })
  await x.tries(domain.getSecurityLabel(), ({ label }) => assert.equal(label, 'libvirt-test'))
  await x.tries(domain.getSchedulerType(), (type) => assert.equal(type, 'fair'))
  await x.tries(domain.setBlkioParameters({ params: { weight: 500 }, ...config }))
  await x.tries(domain.getBlkioParameters(config), (read) => assert.equal(read.weight, 500))
  await x.tries(domain.setNumaParameters({ params: { numa_nodeset: '0' }, ...config }))
  await x.tries(domain.getNumaParameters(config), (read) => assert.equal(read.numa_nodeset, '0'))
  await x.tries(domain.getCPUStats(), ([whole]) => assert.ok((whole?.cpu_time ?? 0n) > 0n))
  const device = (await domain.interfaceAddresses({ source: 'lease' }))[0]?.name ?? ''
  await x.tries(domain.getInterfaceParameters({ device }), isObject)
  await x.tries(domain.sendProcessSignal({ pidValue: 1n, signum: 'term' }))
}

export async function hasSavedImagesThatCanBeEdited(x: Exercise): Promise<void> {
  await x.withDomain({ name: 'edited' }, async (domain) => {
    await domain.create({ flags: ['paused'] })
    const file = x.at('edited.image')
    await domain.save({ to: file, flags: ['paused'] })
    const xml = await x.tries(x.connect.domainSaveImageGetXMLDesc({ file, flags: ['secure'] }), (text) =>
      assert.match(text, /<name>edited<\/name>/),
    )
    await x.tries(x.connect.domainSaveImageDefineXML({ file, xml: xml ?? '', flags: ['paused'] }))
    await x.connect.domainRestore({ from: file })
    await domain.managedSave()
    const managed = await x.tries(domain.managedSaveGetXMLDesc(), (text) => assert.match(text, /<name>edited</))
    await x.tries(domain.managedSaveDefineXML({ xml: managed ?? '', flags: ['paused'] }))
    await domain.managedSaveRemove()
  })
}

export async function tellsWhatAMigrationWouldTake(x: Exercise): Promise<void> {
  await x.withDomain({ name: 'settled' }, async (domain) => {
    await domain.create({ flags: ['paused'] })
    await x.tries(domain.migrateGetMaxDowntime(), (ms) => assert.ok(ms > 0n))
    await x.tries(domain.migrateGetMaxSpeed(), (mib) => assert.ok(mib > 0n))
    await x.tries(domain.migrateSetCompressionCache({ cacheSize: 67_108_864n }))
    await x.tries(domain.migrateGetCompressionCache(), (bytes) => assert.equal(bytes, 67_108_864n))
    await x.tries(domain.migrateStartPostCopy())
  })
}
