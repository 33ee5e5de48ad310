/** Domains of a real QEMU driver in a private session daemon; TCG guests without an operating system. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Connect } from '../../src/libvirt/connect.ts'
import { type Domain, domainMethods } from '../../src/libvirt/domain.ts'
import { agentMethods } from '../../src/libvirt/domain-agent.ts'
import { iothreadMethods } from '../../src/libvirt/domain-iothread.ts'
import { migrationMethods } from '../../src/libvirt/domain-migration.ts'
import { processorMethods } from '../../src/libvirt/domain-processor.ts'
import { saveMethods } from '../../src/libvirt/domain-save.ts'
import { securityMethods } from '../../src/libvirt/domain-security.ts'
import { snapshotMethods } from '../../src/libvirt/domain-snapshot.ts'
import { statisticsMethods } from '../../src/libvirt/domain-statistics.ts'
import { tuningMethods } from '../../src/libvirt/domain-tuning.ts'
import { LibvirtError, type LibvirtErrorName } from '../../src/libvirt/error.ts'
import type { Row } from '../../src/libvirt/methods.ts'
import type { LibvirtStream } from '../../src/libvirt/stream.ts'
import { bootSector, GREETING, guestXml } from '../support/guest-xml.ts'
import { type PrivateLibvirt, startPrivateLibvirt, withoutLibvirt } from '../support/private-libvirt.ts'
import { notRecorded, recordCalls } from '../support/recorded-calls.ts'

const fails =
  (...names: LibvirtErrorName[]) =>
  (error: unknown) =>
    error instanceof LibvirtError && error.is(...names)
const NAMESPACE = 'https://example.org/test'
const cdrom = (source: string) =>
  `<disk type='file' device='cdrom'><driver name='qemu' type='raw'/>${source}<target dev='sda' bus='sata'/><readonly/></disk>`
const isLocal = (error: unknown) => error instanceof LibvirtError && error.is('invalidArg') && error.local
const CHANNEL =
  "<channel type='unix'><target type='virtio' name='org.example.test.0'/></channel><controller type='virtio-serial' index='0'/>"

describe('Domain', { skip: withoutLibvirt, timeout: 240_000 }, () => {
  const recorded = recordCalls()
  let daemon: PrivateLibvirt
  let connect: Connect
  let disk: string
  let folder: string

  before(async () => {
    daemon = await startPrivateLibvirt()
    folder = await daemon.makeFolder('disks')
    disk = await daemon.makeFile(join(folder, 'boot.raw'), bootSector())
    connect = await Connect.open(daemon.uri())
  })
  after(async () => {
    await connect?.close()
    await daemon?.stop()
  })

  async function withDomain<T>(xml: string, use: (domain: Domain) => Promise<T>): Promise<T> {
    const domain = await connect.domainDefineXML({ xml, flags: ['validate'] })
    try {
      return await use(domain)
    } finally {
      if (await domain.isActive()) await domain.destroy()
      await domain.undefine({ flags: ['managedSave', 'snapshotsMetadata'] })
    }
  }

  test('is defined, found by every key, listed, and gone when undefined', async () => {
    const domain = await connect.domainDefineXML({ xml: guestXml({ name: 'one' }), flags: ['validate'] })
    assert.match(domain.uuid, /^[0-9a-f-]{36}$/)
    assert.equal(domain.id, -1)
    assert.equal((await connect.domainLookupByName({ name: 'one' })).uuid, domain.uuid)
    assert.equal((await connect.domainLookupByUuid({ uuid: domain.uuid.toUpperCase() })).name, 'one')
    const names = async (flags: Parameters<typeof connect.listAllDomains>[0]) =>
      (await connect.listAllDomains(flags)).map(({ name }) => name)
    assert.deepEqual(await names({}), ['one'])
    assert.deepEqual(await names({ flags: ['inactive', 'persistent'] }), ['one'])
    assert.deepEqual(await names({ flags: ['active'] }), [])
    assert.deepEqual(
      [await domain.isPersistent(), await domain.isActive(), await domain.isUpdated()],
      [true, false, false],
    )
    await domain.undefine({ flags: ['nvram', 'managedSave'] })
    await assert.rejects(domain.getState(), fails('noDomain'))
    await assert.rejects(connect.domainLookupByName({ name: 'one' }), fails('noDomain'))
  })

  test('lives: started paused, resumed, suspended, reset, destroyed', async () => {
    await withDomain(guestXml({ name: 'life', disk }), async (domain) => {
      assert.deepEqual(await domain.getState(), { state: 'shutoff', reason: 'unknown' })
      const started = await domain.create({ flags: ['paused'] })
      assert.ok(started.id > 0)
      assert.equal((await connect.domainLookupById({ id: started.id })).uuid, domain.uuid)
      assert.equal((await domain.getState()).state, 'paused')
      await assert.rejects(domain.create(), fails('operationInvalid'))
      await domain.resume()
      assert.deepEqual(await domain.getState(), { state: 'running', reason: 'unpaused' })
      await domain.suspend()
      assert.deepEqual(await domain.getState(), { state: 'paused', reason: 'user' })
      const info = await domain.getInfo()
      assert.deepEqual(
        { ...info, cpuTime: 0n },
        { state: 'paused', maxMem: 32768n, memory: 32768n, nrVirtCpu: 1, cpuTime: 0n },
      )
      assert.ok(info.cpuTime > 0n)
      await domain.reset()
      await domain.resume()
      await domain.shutdown({ flags: ['acpi'] })
      await domain.reboot({ flags: ['acpi'] })
      await domain.injectNMI()
      await domain.sendKey({ codeset: 'linux', holdtime: 10, keycodes: [28] })
      await domain.destroy({ flags: ['graceful'] })
      assert.deepEqual(await domain.getState(), { state: 'shutoff', reason: 'destroyed' })
    })
  })

  test('is created without a definition and leaves nothing', async () => {
    const domain = await connect.domainCreateXML({ xml: guestXml({ name: 'transient' }), flags: ['paused'] })
    assert.equal(await domain.isPersistent(), false)
    await domain.destroy()
    assert.deepEqual(await connect.listAllDomains(), [])
  })

  test('starts and stops by the calls without flags', async () => {
    const domain = await connect.domainDefineXMLPlain({ xml: guestXml({ name: 'plain' }) })
    await domain.createPlain()
    await domain.destroyPlain()
    await domain.undefine()
  })

  test('shows its definition, live and inactive', async () => {
    await withDomain(guestXml({ name: 'shown' }), async (domain) => {
      await domain.create({ flags: ['paused'] })
      assert.match(await domain.getXMLDesc(), /<domain type='qemu' id='\d+'>/)
      assert.match(await domain.getXMLDesc({ flags: ['inactive', 'secure'] }), /<domain type='qemu'>/)
      assert.ok(Array.isArray(await domain.getMessages({ flags: ['tainting'] })))
    })
  })

  test('keeps metadata, and forgets it when none is given', async () => {
    await withDomain(guestXml({ name: 'meta' }), async (domain) => {
      const entry = { type: 'element', uri: NAMESPACE, flags: ['config'] } as const
      await domain.setMetadata({ ...entry, key: 'test', metadata: "<fact a='1'/>" })
      assert.match(await domain.getMetadata(entry), /fact/)
      await domain.setMetadata({ type: 'title', metadata: 'Ein Gäst', flags: ['config'] })
      assert.equal(await domain.getMetadata({ type: 'title', flags: ['config'] }), 'Ein Gäst')
      await domain.setMetadata({ ...entry, key: 'test' })
      await assert.rejects(domain.getMetadata(entry), fails('noDomainMetadata'))
    })
  })

  test('is renamed and starts by itself', async () => {
    await withDomain(guestXml({ name: 'before' }), async (domain) => {
      await domain.rename({ newName: 'after' })
      assert.equal((await connect.domainLookupByUuid({ uuid: domain.uuid })).name, 'after')
      await domain.setAutostart({ autostart: true })
      assert.equal(await domain.getAutostart(), true)
      assert.deepEqual(
        (await connect.listAllDomains({ flags: ['autostart'] })).map(({ name }) => name),
        ['after'],
      )
      await domain.setAutostart({ autostart: false })
      assert.equal(await domain.getAutostart(), false)
    })
  })

  test('changes devices while it runs and in its definition', async () => {
    const data = await daemon.makeFile(join(folder, 'data.raw'), Buffer.alloc(65_536))
    await withDomain(guestXml({ name: 'devices', devices: cdrom('') }), async (domain) => {
      const xml = `<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='${data}'/><target dev='vdb' bus='virtio'/></disk>`
      await domain.attachDevice({ xml, flags: ['config'] })
      assert.match(await domain.getXMLDesc(), /data\.raw/)
      await domain.detachDevice({ xml, flags: ['config'] })
      assert.doesNotMatch(await domain.getXMLDesc(), /data\.raw/)
      await domain.create({ flags: ['paused'] })
      await domain.attachDevice({
        xml: "<channel type='null'><target type='virtio' name='x'/></channel>",
        flags: ['config'],
      })
      await domain.updateDevice({ xml: cdrom(`<source file='${data}'/>`), flags: ['live', 'force'] })
      assert.match(await domain.getXMLDesc(), /data\.raw/)
      await assert.rejects(domain.detachDeviceAlias({ alias: 'ua-none', flags: ['live'] }), LibvirtError)
    })
  })

  test('talks on its console, and a second console needs force', async () => {
    await withDomain(guestXml({ name: 'console', disk }), async (domain) => {
      await domain.create({ flags: ['paused'] })
      const first = await domain.openConsole()
      await assert.rejects(domain.openConsole(), fails('operationFailed'))
      await domain.resume()
      assert.ok((await readUntil(first, GREETING)).endsWith(GREETING))
      first.write('echo?')
      assert.equal(await readUntil(first, 'echo?'), 'echo?')
      const robbed = new Promise((resolve) => first.once('error', resolve))
      const second = await domain.openConsole({ flags: ['force'] })
      assert.ok((await robbed) instanceof LibvirtError)
      second.write('again')
      assert.equal(await readUntil(second, 'again'), 'again')
      const closed = new Promise((resolve) => second.once('close', resolve))
      second.resume()
      await domain.destroy()
      await closed
      assert.equal(second.errored, null)
    })
  })

  test('frees its console when a stream is destroyed', async () => {
    await withDomain(guestXml({ name: 'freed' }), async (domain) => {
      await domain.create({ flags: ['paused'] })
      for (let round = 0; round < 5; round++) {
        const stream = await domain.openConsole()
        await stream[Symbol.asyncDispose]()
      }
    })
  })

  test('opens a channel to the guest by its name', async () => {
    await withDomain(guestXml({ name: 'channel', devices: CHANNEL }), async (domain) => {
      await domain.create({ flags: ['paused'] })
      await assert.rejects(domain.openChannel({ name: 'none' }), LibvirtError)
      const channel = await domain.openChannel({ name: 'org.example.test.0' })
      await new Promise((resolve) => channel.write('to the guest', resolve))
      await assert.rejects(domain.openChannel({ name: 'org.example.test.0' }), fails('operationFailed'))
      const closed = new Promise((resolve) => channel.once('close', resolve))
      channel.resume()
      channel.end()
      await closed
      const again = await domain.openChannel({ name: 'org.example.test.0' })
      again.destroy()
    })
  })

  test('gives statistics and resources', async () => {
    await withDomain(guestXml({ name: 'figures', disk }), async (domain) => {
      await domain.create({ flags: ['paused'] })
      const stats = await connect.getAllDomainStats({ domains: [domain], stats: ['state', 'block'] })
      assert.equal(stats[0]?.domain.uuid, domain.uuid)
      assert.equal(stats[0]?.params['state.state'], 3)
      assert.equal(await domain.getVcpusCount({ flags: ['live'] }), 1)
      const { info, cpumaps } = await domain.getVcpus({ maxinfo: 4 })
      assert.equal(info.length, 1)
      assert.ok(info[0] !== undefined && (cpumaps[0] ?? []).includes(info[0].cpu), 'it is where it may be')
      assert.deepEqual(await domain.getVcpuPinInfo({ ncpumaps: 4 }), cpumaps)
      await domain.setVcpus({ count: 1, flags: ['config'] })
      await domain.setMemory({ memory: 32768n, flags: ['config'] })
      assert.ok((await domain.memoryStats()).some(({ tag }) => tag === 'rss'))
      assert.equal(typeof (await domain.blockStats({ path: 'vda' })).rdReq, 'bigint')
      assert.equal((await domain.getBlockInfo({ path: 'vda' })).capacity, 1_048_576n)
      assert.deepEqual(await domain.getDiskErrors(), { errors: [], nerrors: 0 })
      assert.equal((await domain.getBlockIoTune({ disk: 'vda' }))['total_bytes_sec'], 0n)
      await domain.setBlockIoTune({ disk: 'vda', params: { total_bytes_sec: 1_000_000 } })
      assert.equal((await domain.getBlockIoTune({ disk: 'vda' }))['total_bytes_sec'], 1_000_000n)
      assert.equal((await domain.getJobInfo()).type, 'none')
      assert.equal((await domain.getJobStats()).type, 'none')
      assert.equal((await domain.getBlockJobInfo({ path: 'vda' })).found, false)
      assert.deepEqual((await domain.blockPeek({ path: 'vda', offset: 510n, size: 2 })).toString('hex'), '55aa')
      assert.equal((await domain.memoryPeek({ offset: 0n, size: 16, flags: ['physical'] })).length, 16)
      assert.match(await domain.monitorCommand({ command: 'info version', flags: ['hmp'] }), /\d+\.\d+/)
      await assert.rejects(domain.getTime(), fails('operationInvalid', 'agentUnresponsive', 'argumentUnsupported'))
      await assert.rejects(domain.interfaceAddresses({ source: 'agent' }), LibvirtError)
    })
  })

  test('is saved and restored', async () => {
    await withDomain(guestXml({ name: 'saved', disk }), async (domain) => {
      await domain.create({ flags: ['paused'] })
      await domain.managedSave({ flags: ['paused'] })
      assert.equal(await domain.hasManagedSaveImage(), true)
      await domain.managedSaveRemove()
      assert.equal(await domain.hasManagedSaveImage(), false)
      await domain.create({ flags: ['paused'] })
      const to = join(folder, 'saved.image')
      await domain.save({ to, flags: ['paused'] })
      await connect.domainRestore({ from: to, flags: ['paused'] })
      assert.equal((await domain.getState()).state, 'paused')
      await domain.coreDump({ to: join(folder, 'core'), format: 'raw', flags: ['memoryOnly'] })
    })
  })

  test('moves its disk by block jobs, and each tells when it is ready or over', async () => {
    const own = await daemon.makeFile(join(folder, 'jobs.raw'), bootSector())
    await using feed = connect.events('domain.blockJob')
    await feed.ready
    const told = async () => {
      const { value } = await feed.next()
      return `${value?.dst} ${value?.type} ${value?.status}`
    }
    const domain = await connect.domainCreateXML({ xml: guestXml({ name: 'jobs', disk: own }), flags: ['paused'] })
    const overlay = async (name: string) => {
      const source = `<source file='${join(folder, name)}'/>`
      const xml = `<domainsnapshot><disks><disk name='vda'>${source}</disk></disks></domainsnapshot>`
      await domain.snapshotCreateXML({ xml, flags: ['diskOnly', 'noMetadata', 'atomic'] })
    }
    await overlay('one.qcow2')
    await domain.blockCommit({ disk: 'vda', flags: ['active'] })
    assert.equal(await told(), 'vda activeCommit ready')
    await domain.blockJobSetSpeed({ path: 'vda', bandwidth: 10n })
    assert.deepEqual((await domain.getBlockJobInfo({ path: 'vda' })).type, 'activeCommit')
    await domain.blockJobAbort({ path: 'vda', flags: ['pivot'] })
    assert.equal(await told(), 'vda activeCommit completed')
    await overlay('two.qcow2')
    await domain.blockPull({ path: 'vda' })
    assert.equal(await told(), 'vda pull completed')
    await overlay('three.qcow2')
    await domain.blockRebase({ path: 'vda' })
    assert.equal(await told(), 'vda pull completed')
    const xml = `<disk type='file'><source file='${join(folder, 'copy.qcow2')}'/><driver type='qcow2'/></disk>`
    await domain.blockCopy({ path: 'vda', xml, flags: ['transientJob'] })
    assert.equal(await told(), 'vda copy ready')
    await domain.blockJobAbort({ path: 'vda' })
    assert.equal(await told(), 'vda copy cancelled')
    await domain.setBlockThreshold({ dev: 'vda', threshold: 1000n })
    await domain.blockResize({ disk: 'vda', size: 2_097_152n, flags: ['bytes'] })
    // A backup that is pulled lasts until it is ended, however small the disk is.
    const scratch = `<scratch file='${join(folder, 'scratch.qcow2')}'/>`
    const server = `<server transport='unix' socket='${join(folder, 'nbd')}'/>`
    await domain.backupBegin({
      backupXml: `<domainbackup mode='pull'>${server}<disks><disk name='vda' type='file'>${scratch}</disk></disks></domainbackup>`,
    })
    assert.match(await domain.backupGetXMLDesc(), /mode='pull'/)
    assert.equal((await domain.getJobStats()).params.operation, 'backup')
    await using over = connect.events('domain.jobCompleted')
    await over.ready
    await domain.abortJob()
    await over.next()
    const { type, params } = await domain.getJobStats({ flags: ['completed', 'keepCompleted'] })
    assert.deepEqual([type, params.operation, params.success], ['completed', 'backup', true])
    assert.equal(typeof params.disk_temp_total, 'bigint')
    await domain.destroy()
  })

  test('takes a device by its alias, says when it is added, and is saved by parameters', async () => {
    await using feed = connect.events('domain.deviceAdded')
    await feed.ready
    await withDomain(guestXml({ name: 'alias' }), async (domain) => {
      await domain.create({ flags: ['paused'] })
      const xml = "<rng model='virtio'><backend model='random'>/dev/urandom</backend><alias name='ua-rng'/></rng>"
      await domain.attachDevice({ xml, flags: ['live'] })
      assert.equal((await feed.next()).value?.devAlias, 'ua-rng')
      await domain.detachDeviceAlias({ alias: 'ua-rng', flags: ['live'] })
      assert.equal(await domain.agentSetResponseTimeout({ timeout: 5 }), 0)
      await domain.migrateSetMaxDowntime({ downtime: 300n })
      await domain.migrateSetMaxSpeed({ bandwidth: 100n })
      const params = { file: join(folder, 'params.image') }
      await domain.saveParams({ params })
      await connect.domainRestoreParams({ params, flags: ['paused'] })
      assert.equal((await domain.getState()).state, 'paused')
    })
  })

  test('tells of its whole life in order', async () => {
    await using feed = connect.events('domain.lifecycle')
    await feed.ready
    await withDomain(guestXml({ name: 'told' }), async (domain) => {
      await domain.create()
      await domain.destroy()
    })
    const told: string[] = []
    for await (const { event, detail } of feed) if (told.push(`${event} ${detail}`) === 6) break
    assert.deepEqual(told, [
      'defined added',
      'resumed unpaused',
      'started booted',
      'shutdown host',
      'stopped destroyed',
      'undefined removed',
    ])
  })

  test('sees its agent come and go', async () => {
    await using feed = connect.events('domain.agentLifecycle')
    await feed.ready
    const devices = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
    await withDomain(guestXml({ name: 'agent', devices }), async (domain) => {
      await domain.create({ flags: ['paused'] })
      const { value } = await feed.next()
      assert.deepEqual(
        [value?.domain.uuid, value?.state, value?.reason],
        [domain.uuid, 'disconnected', 'domainStarted'],
      )
    })
  })

  test('refuses what the daemon would misread before anything is sent', async () => {
    await assert.rejects(connect.domainDefineXML({ xml: `<a>${'x'.repeat(1_048_576)}</a>` }), isLocal)
    await assert.rejects(connect.domainDefineXML({ xml: '<a/>\0' }), isLocal)
    await assert.rejects(connect.domainLookupByName({ name: 'a\0b' }), isLocal)
    await assert.rejects(connect.domainDefineXML({ xml: '<a' }), fails('xmlDetail'))
    await assert.rejects(
      connect.domainDefineXML({ xml: '<domain/>', flags: ['validate'] }),
      fails('xmlInvalidSchema', 'xmlError'),
    )
  })

  test('is where its host says: what it is, how busy, and what becomes of it', async () => {
    await withDomain(guestXml({ name: 'told-of' }), async (domain) => {
      await domain.setLifecycleAction({ type: 'crash', action: 'preserve', flags: ['config'] })
      assert.match(await domain.getXMLDesc(), /<on_crash>preserve</)
      assert.equal(await domain.getOSType(), 'hvm')
      assert.equal(await domain.getMaxMemory(), 32_768n)
      await assert.rejects(domain.getControlInfo(), fails('operationInvalid'))
      await domain.create({ flags: ['paused'] })
      assert.deepEqual(await domain.getControlInfo(), { state: 'ok', details: 'none', stateTime: 0n })
      await domain.setMemoryStatsPeriod({ period: 2 })
      await domain.startDirtyRateCalc({ seconds: 1 })
      await assert.rejects(domain.startDirtyRateCalc({ seconds: 0 }), fails('configUnsupported', 'invalidArg'))
      await assert.rejects(domain.pmSuspendForDuration({ target: 'mem' }), fails('operationInvalid'))
      await assert.rejects(domain.pmWakeup(), fails('internalError', 'operationInvalid'))
      await assert.rejects(domain.sendProcessSignal({ pidValue: 1n, signum: 'term' }), fails('noSupport'))
    })
  })

  test('has run every procedure of its table but those named here', () => {
    const elsewhere = [
      agentMethods,
      iothreadMethods,
      migrationMethods,
      processorMethods,
      saveMethods,
      securityMethods,
      snapshotMethods,
      statisticsMethods,
      tuningMethods,
    ].flatMap((table) => Object.values<Row>(table).map((row) => row.name))
    const missing = notRecorded(domainMethods, recorded).filter((name) => !elsewhere.includes(name))
    assert.deepEqual(missing, [
      // refused above: needs a guest that sleeps, and a container
      'DOMAIN_PM_SUSPEND_FOR_DURATION',
      'DOMAIN_PM_WAKEUP',
      'DOMAIN_SEND_PROCESS_SIGNAL',
      // libvirt 11.2
      'DOMAIN_GET_AUTOSTART_ONCE',
      'DOMAIN_SET_AUTOSTART_ONCE',
      // on the test driver, in domain-agent.test.ts
      'DOMAIN_SCREENSHOT',
      // libvirt 10.2
      'DOMAIN_GRAPHICS_RELOAD',
      // on the test driver, in domain-agent.test.ts
      'DOMAIN_INTERFACE_ADDRESSES',
      // needs a job at the right moment
      'DOMAIN_ABORT_JOB_FLAGS',
    ])
  })
})

async function readUntil(stream: LibvirtStream, end: string): Promise<string> {
  let text = ''
  while (!text.endsWith(end)) {
    const piece = stream.read() as Buffer | null
    if (piece === null) await new Promise((resolve) => stream.once('readable', resolve))
    else text += piece.toString('latin1')
  }
  return text
}
