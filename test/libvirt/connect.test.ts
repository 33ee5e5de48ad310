/** Opening, closing, dying, events and the host's own procedures, against a real session daemon. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { domainCheckpointMethods } from '../../src/libvirt/checkpoint.ts'
import { Connect } from '../../src/libvirt/connect.ts'
import { hostMethods } from '../../src/libvirt/connect-host.ts'
import { snapshotMethods } from '../../src/libvirt/domain-snapshot.ts'
import { ConnectionClosed, LibvirtError, type LibvirtErrorName } from '../../src/libvirt/error.ts'
import { secretMethods } from '../../src/libvirt/secret.ts'
import { domainSnapshotMethods } from '../../src/libvirt/snapshot.ts'
import { formatVersion } from '../../src/libvirt/version.ts'
import { guestXml } from '../support/guest-xml.ts'
import { type PrivateLibvirt, startPrivateLibvirt, withoutLibvirt } from '../support/private-libvirt.ts'
import { notRecorded, recordCalls } from '../support/recorded-calls.ts'

const fails =
  (...names: LibvirtErrorName[]) =>
  (error: unknown) =>
    error instanceof LibvirtError && error.is(...names)

describe('Connect', { skip: withoutLibvirt, timeout: 120_000 }, () => {
  const recorded = recordCalls()
  let daemon: PrivateLibvirt
  let connect: Connect
  let driver: Connect
  before(async () => {
    daemon = await startPrivateLibvirt()
    connect = await Connect.open(daemon.uri())
    driver = await Connect.open(daemon.uri('test:///default'))
  })
  after(async () => {
    await connect?.close()
    await driver?.close()
    await daemon?.stop()
  })

  test('says what it is connected to, as virsh does', async () => {
    assert.equal(await connect.getUri(), 'qemu:///session')
    assert.equal(await connect.getType(), 'QEMU')
    assert.equal(await connect.getHostname(), await askVirsh(daemon.socket, ['hostname']))
    assert.equal(await connect.getCapabilities(), `${await askVirsh(daemon.socket, ['capabilities'])}\n`)
    const version = await connect.getLibVersion()
    const text = formatVersion(version)
    assert.match(
      await askVirsh(daemon.socket, ['version', '--daemon']),
      new RegExp(`daemon: ${text.replaceAll('.', '\\.')}`),
    )
    assert.ok((await connect.getVersion()) >= 1_000_000)
    assert.equal(await connect.isSecure(), true)
    assert.equal(await connect.supportsFeature({ feature: 14 }), true)
  })

  test('describes its host', async () => {
    const node = await connect.nodeGetInfo()
    assert.equal(node.model, process.arch === 'x64' ? 'x86_64' : node.model)
    assert.ok(node.cpus >= 1 && node.memory > 0n)
    assert.ok((await connect.nodeGetFreeMemory()) > 0n)
    assert.ok((await connect.nodeGetCellsFreeMemory()).length >= 1)
    assert.ok(((await connect.nodeGetCPUStats())['kernel'] ?? 0n) > 0n)
    assert.deepEqual(Object.keys(await connect.nodeGetMemoryStats()), ['total', 'free', 'buffers', 'cached'])
    const { cpumap, online, total } = await connect.nodeGetCPUMap()
    assert.equal(cpumap.length, online)
    assert.ok(cpumap.every((cpu) => cpu >= 0 && cpu < total))
    assert.ok((await connect.getMaxVcpus({ type: 'qemu' })) > 0)
    assert.ok((await connect.getCPUModelNames({ arch: 'x86_64' })).includes('qemu64'))
    assert.match(await connect.getDomainCapabilities({ virtType: 'qemu', arch: 'x86_64' }), /<domainCapabilities>/)
    assert.match(await connect.getStoragePoolCapabilities(), /<storagepoolCapabilities>/)
    const cpu = '<cpu><arch>x86_64</arch><model>qemu64</model></cpu>'
    const query = { arch: 'x86_64', virtType: 'qemu' }
    assert.match(await connect.baselineHypervisorCPU({ ...query, xmlCPUs: [cpu] }), /<cpu/)
    assert.ok(
      ['superset', 'identical', 'incompatible'].includes(await connect.compareHypervisorCPU({ ...query, xmlCPU: cpu })),
    )
    assert.match(
      await connect.domainXMLToNative({ nativeFormat: 'qemu-argv', domainXml: guestXml({ name: 'argv' }) }),
      /-machine/,
    )
    assert.ok(['superset', 'identical', 'incompatible'].includes(await connect.compareCPU({ xml: cpu })))
    assert.match(await connect.baselineCPU({ xmlCPUs: [cpu] }), /qemu64/)
    await assert.rejects(
      connect.domainXMLFromNative({ nativeFormat: 'qemu-argv', nativeConfig: 'qemu' }),
      fails('noSupport'),
    )
    assert.deepEqual(Object.keys(await connect.nodeGetSecurityModel()), ['model', 'doi'])
    assert.deepEqual(Object.keys(await connect.nodeGetMemoryStats({ cellNum: 0 })).slice(0, 2), ['total', 'free'])
    await assert.rejects(connect.nodeGetMemoryStats({ cellNum: 9999 }), fails('invalidArg', 'internalError'))
    assert.ok(((await connect.nodeGetFreePages({ pages: [4], startCell: -1 }))[0] ?? 0n) > 0n)
    assert.deepEqual(await driver.nodeGetSecurityModel(), { model: 'testSecurity', doi: '' })
    assert.deepEqual(await driver.nodeGetCPUMap(), { cpumap: [0, 2, 4], online: 3, total: 8 })
    assert.deepEqual(await driver.nodeGetCellsFreeMemory({ startCell: 1, maxCells: 1 }), [4_194_304n])
  })

  test('reads the settings of shared memory, and may not change them', async () => {
    const params = await connect.nodeGetMemoryParameters()
    if (existsSync('/sys/kernel/mm/ksm/pages_to_scan')) assert.equal(typeof params.shm_pages_to_scan, 'number')
    await assert.rejects(connect.nodeSetMemoryParameters({ params: { shm_sleep_millisecs: 20 } }), LibvirtError)
  })

  test('is refused what the session may not do or the host does not have', async () => {
    await assert.rejects(connect.nodeSuspendForDuration({ target: 'memory', duration: 1n }), LibvirtError)
    await assert.rejects(
      connect.nodeAllocPages({ pageSizes: [2048], pageCounts: [1n], startCell: 0 }),
      fails('systemError', 'operationFailed', 'internalError'),
    )
    if (existsSync('/dev/sev')) assert.equal(typeof (await connect.nodeGetSEVInfo()).cbitpos, 'number')
    else await assert.rejects(connect.nodeGetSEVInfo(), fails('operationUnsupported'))
  })

  test('types the statistics of domains whose names have no number', async () => {
    const [first] = await driver.getAllDomainStats({ stats: ['state'] })
    assert.equal(first?.params['state.state'], 1)
    assert.equal(first?.domain.name, 'test')
  })

  test('keeps secrets', async () => {
    const xml = "<secret ephemeral='yes' private='no'><usage type='volume'><volume>/a</volume></usage></secret>"
    const secret = await connect.secretDefineXML({ xml })
    assert.match(await secret.getXMLDesc(), /<volume>\/a<\/volume>/)
    await assert.rejects(secret.getValue(), fails('noSecret'))
    await assert.rejects(secret.setValue({ value: Buffer.alloc(65_537) }), fails('rpc'))
    await secret.setValue({ value: Buffer.from([0, 1, 255]) })
    assert.deepEqual(await secret.getValue(), Buffer.from([0, 1, 255]))
    assert.equal((await connect.secretLookupByUuid({ uuid: secret.uuid })).usageId, '/a')
    assert.equal((await connect.secretLookupByUsage({ usageType: 'volume', usageId: '/a' })).uuid, secret.uuid)
    assert.equal((await connect.listAllSecrets()).length, 1)
    await secret.undefine()
  })

  test('takes and reverts snapshots and checkpoints of a domain', async () => {
    const domain = await driver.domainLookupByName({ name: 'test' })
    assert.equal(await domain.hasCurrentSnapshot(), false)
    const first = await domain.snapshotCreateXML({ xml: '<domainsnapshot><name>first</name></domainsnapshot>' })
    const second = await domain.snapshotCreateXML({ xml: '<domainsnapshot><name>second</name></domainsnapshot>' })
    assert.deepEqual(
      (await domain.listAllSnapshots({ flags: ['topological'] })).map(({ name }) => name),
      ['first', 'second'],
    )
    assert.equal((await second.getParent()).name, 'first')
    assert.deepEqual(
      (await first.listAllChildren()).map(({ name }) => name),
      ['second'],
    )
    assert.equal((await domain.snapshotCurrent()).name, 'second')
    assert.deepEqual([await first.isCurrent(), await second.isCurrent()], [false, true])
    assert.equal(await first.hasMetadata(), true)
    await assert.rejects(first.getParent(), fails('noDomainSnapshot'))
    assert.equal((await domain.snapshotLookupByName({ name: 'first' })).domain.uuid, domain.uuid)
    assert.match(await first.getXMLDesc(), /first/)
    await first.revert({ flags: ['running'] })
    await first.delete({ flags: ['children'] })
    const checkpoint = await domain.checkpointCreateXML({ xml: '<domaincheckpoint><name>c</name></domaincheckpoint>' })
    assert.deepEqual(
      (await domain.listAllCheckpoints()).map(({ name }) => name),
      ['c'],
    )
    assert.match(await (await domain.checkpointLookupByName({ name: 'c' })).getXMLDesc(), /domaincheckpoint/)
    const later = await domain.checkpointCreateXML({ xml: '<domaincheckpoint><name>d</name></domaincheckpoint>' })
    assert.equal((await later.getParent()).name, 'c')
    assert.deepEqual(
      (await checkpoint.listAllChildren({ flags: ['descendants'] })).map(({ name }) => name),
      ['d'],
    )
    await assert.rejects(checkpoint.getParent(), fails('noDomainCheckpoint'))
    await later.delete()
    await checkpoint.delete()
  })

  test('follows a life of a domain, of one domain only, and nothing after the loop is left', async () => {
    const all = driver.events('domain.lifecycle')
    const domain = await driver.domainLookupByName({ name: 'test' })
    const one = driver.events('domain.lifecycle', { object: domain })
    await Promise.all([all.ready, one.ready])
    const other = await driver.domainCreateXML({
      xml: "<domain type='test'><name>other</name><memory>8192</memory><os><type>hvm</type></os></domain>",
    })
    await other.destroy()
    await domain.suspend()
    await domain.resume()
    const told: string[] = []
    for await (const { domain: about, event, detail } of all)
      if (told.push(`${about.name} ${event} ${detail}`) === 4) break
    assert.deepEqual(told, [
      'other started booted',
      'other stopped destroyed',
      'test suspended paused',
      'test resumed unpaused',
    ])
    assert.deepEqual((await one.next()).value?.event, 'suspended')
    await one.return()
    assert.deepEqual(await one.next(), { done: true, value: undefined })
    await driver.events('domain.lifecycle').return()
  })

  test('ends a feed with the reason of its signal, and lets nothing register twice', async () => {
    const stop = new AbortController()
    const feed = driver.events('domain.metadataChange', { signal: stop.signal })
    await feed.ready
    await assert.rejects(driver.events('domain.metadataChange').next(), fails('invalidArg'))
    const next = feed.next()
    stop.abort(new Error('enough'))
    await assert.rejects(next, /enough/)
    assert.equal((await feed.next()).done, true)
    await feed.return()
    await using again = driver.events('domain.metadataChange')
    await again.ready
  })

  test('tells of metadata, and what an older daemon does not know is a refusal', async () => {
    await using feed = connect.events('domain.metadataChange')
    await feed.ready
    const domain = await connect.domainDefineXML({ xml: guestXml({ name: 'told' }) })
    await domain.setMetadata({ type: 'title', metadata: 'a title', flags: ['config'] })
    const { value } = await feed.next()
    assert.deepEqual([value?.type, value?.domain.uuid], ['title', domain.uuid])
    await domain.undefine()
    if ((await connect.getLibVersion()) < 11_002_000)
      await assert.rejects(connect.events('domain.nicMacChange').next(), fails('internalError', 'noSupport'))
  })

  test('refuses to change anything when it is read-only', async () => {
    await using reader = await Connect.open(daemon.uri(), { readonly: true })
    await assert.rejects(reader.domainDefineXML({ xml: guestXml({ name: 'no' }) }), fails('operationDenied'))
    assert.deepEqual(await reader.listAllDomains(), [])
  })

  test('carries thousands of calls at once', async () => {
    const names = await Promise.all(Array.from({ length: 3000 }, () => connect.getHostname()))
    assert.equal(new Set(names).size, 1)
  })

  test('keeps what the daemon said of a failed call, and a stack that leads to the caller', async () => {
    const error = await connect.domainLookupByName({ name: 'none' }).catch((reason: unknown) => reason)
    assert.ok(error instanceof LibvirtError)
    assert.deepEqual(
      [error.code, error.codeName, error.procedure, error.local],
      [42, 'noDomain', 'DOMAIN_LOOKUP_BY_NAME', false],
    )
    assert.match(error.stack ?? '', /connect\.test\.ts/)
  })

  test('settles every call when it is closed meanwhile, with one reason', async () => {
    const closing = await Connect.open(daemon.uri())
    const feed = closing.events('domain.lifecycle')
    await feed.ready
    const waiting = feed.next()
    const calls = Array.from({ length: 50 }, () => closing.getCapabilities())
    const settled = Promise.allSettled([...calls, waiting])
    await closing.close()
    await settled
    await assert.rejects(waiting, ConnectionClosed)
    await assert.rejects(closing.getUri(), closing.closed)
    await closing.close()
  })

  test('has run every procedure of the host, of finding, of secrets and of snapshots, but for those named here', () => {
    const tables = [hostMethods, secretMethods, domainSnapshotMethods, domainCheckpointMethods, snapshotMethods]
    const missing = tables.flatMap((table) => notRecorded(table, recorded))
    assert.deepEqual(missing, [
      // needs rights, for firmware tables
      'CONNECT_GET_SYSINFO',
      // no driver here can read a native configuration
      'CONNECT_DOMAIN_XML_FROM_NATIVE',
      // change the host, or need a processor of AMD's
      'NODE_SET_MEMORY_PARAMETERS',
      'NODE_ALLOC_PAGES',
      'NODE_GET_SEV_INFO',
      'NODE_SUSPEND_FOR_DURATION',
    ])
  })

  test('rejects everything at once when the daemon dies, and a new connection says why there is none', async () => {
    const dying = await Connect.open(daemon.uri())
    const feed = dying.events('domain.lifecycle')
    await feed.ready
    const pending = [feed.next(), ...Array.from({ length: 20 }, () => dying.getCapabilities())]
    const settled = Promise.allSettled(pending)
    await daemon.kill()
    await settled
    await assert.rejects(
      feed
        .next()
        .then((result) => assert.equal(result.done, true))
        .then(() => dying.getUri()),
      dying.closed,
    )
    await assert.rejects(
      Connect.open(daemon.uri()),
      (error) => error instanceof ConnectionClosed && error.message.includes(daemon.socket),
    )
  })
})

async function askVirsh(socket: string, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('virsh', ['-q', '-c', `qemu+unix:///session?socket=${socket}`, ...args])
  return stdout.trim()
}
