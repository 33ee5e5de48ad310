/** Opening, and what a connection says of itself and its host. */
import assert from 'node:assert/strict'
import { authMethods } from '../../../src/libvirt/auth.ts'
import { Connect } from '../../../src/libvirt/connect.ts'
import type { Row } from '../../../src/libvirt/methods.ts'
import { guestXml } from '../guest-xml.ts'
import type { Exercise } from './exercise.ts'

const CPU = '<cpu><arch>x86_64</arch><model>qemu64</model><vendor>AMD</vendor></cpu>'
const HYPERVISOR = { arch: 'x86_64', virtType: 'qemu' }

export async function opensAndCloses(x: Exercise): Promise<void> {
  // Whoever authenticates after the opening comes too late, and is refused in libvirt's words.
  const late = { mech: 'PLAIN', nil: true, data: Buffer.alloc(0) }
  for (const row of Object.values(authMethods) as Row[]) {
    if (row === authMethods.list) continue
    const extra = await Connect.open(x.daemon.uri)
    await x.tries(extra.invoke(row, late))
    await extra.close()
  }
}

export async function describesItself(x: Exercise): Promise<void> {
  const { connect } = x
  await x.tries(connect.getType(), (type) => assert.equal(type, 'QEMU'))
  await x.tries(connect.getUri(), (uri) => assert.match(uri, /^qemu:\/\/\/(session|system)$/))
  await x.tries(connect.getVersion(), (version) => assert.ok(version >= 7_000_000))
  await x.tries(connect.getLibVersion(), (version) => assert.equal(version, x.version))
  await x.tries(connect.getHostname(), (name) => assert.match(name, /^\S+$/))
  await x.tries(connect.getMaxVcpus({ type: 'qemu' }), (count) => assert.ok(count >= 16))
  await x.tries(connect.isSecure(), (secure) => assert.equal(secure, true))
  await x.tries(connect.supportsFeature({ feature: 4 }), (supported) => assert.equal(supported, true)) // migration V3
  await x.tries(connect.getCapabilities(), (xml) => assert.match(xml, /^<capabilities>/))
  for (const one of x.connections)
    await x.tries(one.getSysinfo(), (xml) => assert.match(xml, /^<sysinfo type='smbios'>/))
  await x.tries(connect.getDomainCapabilities(HYPERVISOR), (xml) => assert.match(xml, /<domain>qemu<\/domain>/))
  await x.tries(connect.getStoragePoolCapabilities(), (xml) => assert.match(xml, /type='dir' supported='yes'/))
  await x.tries(connect.getCPUModelNames({ arch: 'x86_64' }), (models) => assert.ok(models.includes('qemu64')))
  await x.tries(connect.baselineHypervisorCPU({ ...HYPERVISOR, xmlCPUs: [CPU] }), (xml) => assert.match(xml, /^<cpu/))
  await x.tries(connect.compareHypervisorCPU({ ...HYPERVISOR, xmlCPU: CPU }), (result) =>
    assert.ok(['incompatible', 'identical', 'superset'].includes(result)),
  )
  await x.tries(
    connect.domainXMLToNative({ nativeFormat: 'qemu-argv', domainXml: guestXml({ name: 'native' }) }),
    (line) => assert.match(line, /qemu-system-x86_64 .*-name guest=native/s),
  )
}

export async function describesItsHost(x: Exercise): Promise<void> {
  const { connect } = x
  await x.tries(connect.nodeGetInfo(), (info) => {
    assert.equal(info.model, 'x86_64')
    assert.ok(info.cpus > 0 && info.memory > 65_536n)
  })
  await x.tries(connect.nodeGetFreeMemory(), (bytes) => assert.ok(bytes > 1_048_576n))
  await x.tries(connect.nodeGetCellsFreeMemory({ startCell: 0, maxCells: 8 }), (cells) => assert.ok(cells.length > 0))
  await x.tries(connect.nodeGetMemoryStats(), (stats) => assert.ok((stats['total'] ?? 0n) > 65_536n))
  await x.tries(connect.nodeGetCPUStats(), (stats) => assert.ok('idle' in stats))
  await x.tries(connect.nodeGetCPUMap(), ({ cpumap, online, total }) => {
    assert.ok(online > 0 && online <= total)
    assert.equal(cpumap.length, online)
  })
}
