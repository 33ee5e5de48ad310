/**
 * libvirt as the oracle: what preflight refuses, a real libvirt refuses too, later and in other words; what preflight
 * lets pass, it starts. Each case is one mutation of a domain that runs.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { parseDomainDemand } from '../../src/host/preflight-demand.ts'
import { judgeDomain } from '../../src/host/preflight-domain.ts'
import type { PreflightClass } from '../../src/host/preflight-finding.ts'
import { judgeNetworkDefinition } from '../../src/host/preflight-network.ts'
import { readHostFacts, readHostNetworks } from '../../src/host/preflight-read.ts'
import { Connect } from '../../src/libvirt/connect.ts'
import { LibvirtError } from '../../src/libvirt/error.ts'
import { readHypervisor, readNetworks } from '../../src/operations/preflight.ts'
import { privateHostMissing, startTestHost, type TestHost } from '../support/private-host.ts'
import { realProcesses } from '../support/real-processes.ts'

const skip = await privateHostMissing()

let host: TestHost
let connect: Connect
const children: ChildProcess[] = []
const at = (name: string): string => join(host.dir, name)

async function qemuImg(...args: readonly string[]): Promise<void> {
  const result = await realProcesses.run('qemu-img', args)
  assert.equal(result.exitCode, 0, result.stderr)
}

before(async () => {
  if (skip !== false) return
  host = await startTestHost()
  connect = await Connect.open(host.uri)
  await qemuImg('create', '-q', '-f', 'qcow2', at('good.qcow2'), '16M')
  await qemuImg('create', '-q', '-f', 'raw', at('raw.img'), '16M')
  await qemuImg('create', '-q', '-f', 'qcow2', at('base.qcow2'), '16M')
  await qemuImg('create', '-q', '-f', 'qcow2', '-b', at('base.qcow2'), '-F', 'qcow2', at('top.qcow2'))
  await qemuImg('create', '-q', '-f', 'qcow2', '-b', at('top.qcow2'), '-F', 'qcow2', at('higher.qcow2'))
  await qemuImg('create', '-q', '-f', 'qcow2', '-u', '-b', at('gone.qcow2'), '-F', 'qcow2', at('orphan.qcow2'), '16M')
  await writeFile(at('unsaid.qcow2'), forgetBackingFormat(await readFile(at('higher.qcow2'))))
  await qemuImg('create', '-q', '-f', 'qcow2', at('busy.qcow2'), '16M')
  await qemuImg('create', '-q', '-f', 'qcow2', at('stale.qcow2'), '16M')
  await writeFile(`${at('stale.qcow2')}.TRANSIENT-case`, 'what the guest wrote')
  await mkdir(at('folder'))
  const nbd = spawn('qemu-nbd', ['--socket', at('nbd.sock'), '--persistent', '--format', 'qcow2', at('busy.qcow2')], {
    stdio: 'ignore',
  })
  children.push(nbd)
  const listener = host.spawn([
    process.execPath,
    '-e',
    "require('node:net').createServer().listen(5999, '127.0.0.1', () => console.log('up')); process.stdin.on('end', () => process.exit()).resume()",
  ])
  children.push(listener)
  await once(listener.stdout, 'data')
  await host.run(['ip', 'link', 'add', 'taken0', 'type', 'bridge'])
  await host.run(['ip', 'address', 'add', '10.77.0.1/24', 'dev', 'taken0'])
  await host.run(['ip', 'link', 'set', 'taken0', 'up'])
  await connect.networkDefineXML({ xml: "<network><name>idle</name><bridge name='idle0'/></network>" })
  await connect.networkDefineXML({
    xml: "<network><name>clash</name><bridge name='clash0'/><ip address='10.77.0.9' netmask='255.255.255.0'/></network>",
  })
  await qemuImg('create', '-q', '-f', 'qcow2', at('folder/a.qcow2'), '16M')
  for (const name of ['images', 'asleep']) {
    const xml = `<pool type='dir'><name>${name}</name><target><path>${at(name === 'images' ? 'folder' : 'gone')}</path></target></pool>`
    const pool = await connect.storagePoolDefineXML({ xml })
    if (name === 'images') await pool.create()
  }
  await connect.domainDefineXML({ xml: domain({ name: 'other', uuid: '11111111-2222-4333-8444-555555555555' }) })
})

after(async () => {
  if (skip !== false) return
  await connect.close()
  for (const child of children) {
    const gone = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined
    if (child.stdin === null) child.kill()
    else child.stdin?.end()
    await gone
  }
  await host.stop()
})

/** As an old qemu-img made it: the extension with the format is one that nobody knows (docs/interop/qcow2.txt). */
function forgetBackingFormat(image: Buffer): Buffer {
  image.writeUInt32BE(0x12_34_56_78, image.indexOf(Buffer.from('e2792aca', 'hex')))
  return image
}

interface Parts {
  readonly name?: string
  readonly uuid?: string
  readonly type?: string
  readonly head?: string
  readonly os?: string
  readonly machine?: string
  readonly disk?: string
  readonly devices?: string
  readonly vcpus?: string
  readonly emulator?: string
  readonly features?: string
}

function disk(file: string, more = '', driver = 'qcow2', target = "dev='vda' bus='virtio'"): string {
  return `<disk type='file' device='disk'><driver name='qemu' type='${driver}'/><source file='${file}'/><target ${target}/>${more}</disk>`
}

function volume(pool: string, name: string): string {
  return `<disk type='volume' device='disk'><driver name='qemu' type='qcow2'/><source pool='${pool}' volume='${name}'/><target dev='vda' bus='virtio'/></disk>`
}

function domain(parts: Parts): string {
  return `<domain type='${parts.type ?? 'qemu'}'>
  <name>${parts.name ?? 'case'}</name>${parts.uuid === undefined ? '' : `<uuid>${parts.uuid}</uuid>`}
  <memory unit='MiB'>32</memory>${parts.vcpus ?? '<vcpu>1</vcpu>'}${parts.head ?? ''}
  <os><type arch='x86_64' machine='${parts.machine ?? 'q35'}'>hvm</type>${parts.os ?? ''}</os>
  <features><acpi/>${parts.features ?? ''}</features>
  <devices>
    <emulator>${parts.emulator ?? '/usr/bin/qemu-system-x86_64'}</emulator>
    ${parts.disk ?? disk(at('good.qcow2'))}
    ${parts.devices ?? ''}
  </devices>
</domain>`
}

async function findClasses(xml: string, startsNetworks = false): Promise<readonly PreflightClass[]> {
  const demand = parseDomainDemand(xml)
  assert.ok(demand !== undefined)
  const reading = { procNet: `/proc/${host.host.pid}/net`, user: undefined, changesOwners: false, isPrivileged: true }
  const hypervisor = await readHypervisor(connect, demand, { startsNetworks, isKvmUsable: async () => false })
  return judgeDomain(demand, await readHostFacts(demand, reading), hypervisor).map((one) => one.class)
}

/** What libvirt says to it, or `undefined` where the domain ran. */
async function tryToStart(xml: string): Promise<string | undefined> {
  try {
    const created = await connect.domainDefineXML({ xml })
    try {
      await created.create({ flags: ['paused'] })
      await created.destroy()
      return undefined
    } finally {
      await created.undefine({ flags: ['nvram'] }).catch(() => {})
    }
  } catch (error) {
    if (error instanceof LibvirtError) return error.message
    throw error
  }
}

test('a domain without a fault passes, and starts', { skip, timeout: 60_000 }, async () => {
  for (const xml of [
    domain({}),
    domain({ disk: disk(at('top.qcow2')) }),
    domain({ disk: volume('images', 'a.qcow2') }),
    domain({
      devices:
        "<graphics type='vnc' port='5998' autoport='no' listen='127.0.0.1'/><interface type='bridge'><source bridge='taken0'/></interface>",
    }),
  ]) {
    assert.deepEqual(await findClasses(xml), [])
    assert.equal(await tryToStart(xml), undefined)
  }
})

const usb =
  "<hostdev mode='subsystem' type='usb'><source><vendor id='0x4030'/><product id='0x6010'/></source></hostdev>"
const pci =
  "<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0x0000' bus='0x7f' slot='0x1f' function='0x7'/></source></hostdev>"
const mdev =
  "<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source><address uuid='c2177883-f1bb-47f0-914d-32a22e3a8804'/></source></hostdev>"
const share = "<filesystem type='mount'><driver type='virtiofs'/><source dir='/tmp'/><target dir='share'/></filesystem>"

const CASES: Readonly<Partial<Record<PreflightClass, () => Parts>>> = {
  'domain-name-taken': () => ({ name: 'other' }),
  'domain-uuid-taken': () => ({ uuid: '11111111-2222-4333-8444-555555555555' }),
  'target-duplicate': () => ({ disk: disk(at('good.qcow2')) + disk(at('raw.img'), '', 'raw') }),
  'address-duplicate': () => {
    const address = "<address type='pci' domain='0x0000' bus='0x00' slot='0x10' function='0x0'/>"
    return { disk: disk(at('good.qcow2'), address) + disk(at('raw.img'), address, 'raw', "dev='vdb' bus='virtio'") }
  },
  'disk-missing': () => ({ disk: disk(at('nowhere.qcow2')) }),
  'disk-not-a-file': () => ({ disk: disk(at('folder')) }),
  'disk-format': () => ({ disk: disk(at('raw.img')) }),
  'disk-locked': () => ({ disk: disk(at('busy.qcow2')) }),
  'disk-bus': () => ({ disk: disk(at('good.qcow2'), '', 'qcow2', "dev='hda' bus='ide'") }),
  'pool-missing': () => ({ disk: volume('nowhere', 'a.qcow2') }),
  'pool-inactive': () => ({ disk: volume('asleep', 'a.qcow2') }),
  'volume-missing': () => ({ disk: volume('images', 'none.qcow2') }),
  'backing-missing': () => ({ disk: disk(at('orphan.qcow2')) }),
  'backing-format-unsaid': () => ({ disk: disk(at('unsaid.qcow2')) }),
  'transient-stale': () => ({ disk: disk(at('stale.qcow2'), '<transient/>') }),
  'transient-unsupported': () => ({
    disk: disk(at('good.qcow2'), "<transient shareBacking='yes'/>", 'qcow2', "dev='sda' bus='sata'"),
  }),
  'kernel-missing': () => ({ os: `<kernel>${at('vmlinuz')}</kernel>` }),
  'hugepages-size': () => ({
    head: "<memoryBacking><hugepages><page size='3' unit='MiB'/></hugepages></memoryBacking>",
  }),
  'numa-node-missing': () => ({ head: "<numatune><memory mode='strict' nodeset='9'/></numatune>" }),
  'vcpus-maximum': () => ({ vcpus: '<vcpu>5000</vcpu>' }),
  'pin-outside': () => ({ head: "<cputune><vcpupin vcpu='0' cpuset='4000'/></cputune>" }),
  'cpu-mode': () => ({ features: '</features><cpu mode="host-passthrough"/><features>' }),
  'cpu-model': () => ({
    features: '</features><cpu mode="custom" match="exact"><model fallback="forbid">Zen99</model></cpu><features>',
  }),
  'pci-missing': () => ({ devices: pci }),
  'usb-missing': () => ({ devices: usb }),
  'mdev-missing': () => ({ devices: mdev }),
  'input-missing': () => ({ devices: "<input type='evdev'><source dev='/dev/input/by-id/none'/></input>" }),
  'render-node-missing': () => ({
    devices:
      "<graphics type='egl-headless'><gl rendernode='/dev/dri/renderD199'/></graphics><video><model type='virtio'/></video>",
  }),
  'tpm-missing': () => ({
    devices: "<tpm model='tpm-tis'><backend type='passthrough'><device path='/dev/tpm9'/></backend></tpm>",
  }),
  'virtiofs-memory': () => ({ devices: share }),
  'vsock-missing': () => ({ devices: "<vsock model='virtio'><cid auto='yes'/></vsock>" }),
  'network-missing': () => ({ devices: "<interface type='network'><source network='nowhere'/></interface>" }),
  'network-inactive': () => ({ devices: "<interface type='network'><source network='idle'/></interface>" }),
  'bridge-missing': () => ({ devices: "<interface type='bridge'><source bridge='nobr0'/></interface>" }),
  'port-taken': () => ({ devices: "<graphics type='vnc' port='5999' autoport='no' listen='127.0.0.1'/>" }),
  'emulator-missing': () => ({ emulator: '/usr/bin/qemu-system-none' }),
  'machine-unknown': () => ({ machine: 'pc-q35-99.0' }),
  'kvm-unusable': () => ({ type: 'kvm' }),
  'firmware-missing': () => ({ os: "<loader readonly='yes' type='pflash'>/usr/share/OVMF/none.fd</loader>" }),
  'nvram-template-missing': () => ({
    os: `<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.fd</loader><nvram template='/usr/share/OVMF/none.fd'>${at('vars.fd')}</nvram>`,
  }),
  'secure-boot-smm': () => ({
    features: "<smm state='off'/>",
    os: `<loader readonly='yes' secure='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.secboot.fd</loader><nvram>${at('vars.fd')}</nvram>`,
  }),
}

describe('what preflight refuses, libvirt refuses as well', { skip, timeout: 300_000 }, () => {
  for (const [name, parts] of Object.entries(CASES))
    test(name, async () => {
      const xml = domain(parts())
      const found = await findClasses(xml)
      assert.ok(
        found.some((one) => one === name),
        `found ${found.join(', ') || 'nothing'}`,
      )
      const refusal = await tryToStart(xml)
      assert.notEqual(refusal, undefined)
    })

  test('disk-shared, nvram-shared and mac-duplicate, of a domain that runs, whatever its paths look like', async () => {
    const shared = at("a&b'c.qcow2")
    await qemuImg('create', '-q', '-f', 'qcow2', shared, '16M')
    const parts: Parts = {
      disk: disk(shared.replaceAll('&', '&amp;').replaceAll("'", '&apos;')),
      os: `<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.fd</loader><nvram template='/usr/share/OVMF/OVMF_VARS_4M.fd'>${at('held.fd')}</nvram>`,
      devices: "<interface type='bridge'><mac address='52:54:00:aa:bb:cc'/><source bridge='taken0'/></interface>",
    }
    const holder = await connect.domainCreateXML({ xml: domain({ ...parts, name: 'holder' }), flags: ['paused'] })
    const found = await findClasses(domain(parts))
    for (const name of ['disk-shared', 'nvram-shared', 'mac-duplicate', 'disk-locked'] as const)
      assert.ok(found.includes(name), name)
    assert.match((await tryToStart(domain(parts))) ?? '', /lock/)
    await holder.destroy()
  })

  test('network-subnet-taken and network-bridge-taken, where the operation starts the network', async () => {
    const nic = (network: string): string =>
      domain({ devices: `<interface type='network'><source network='${network}'/></interface>` })
    assert.deepEqual(await findClasses(nic('clash'), true), ['network-subnet-taken'])
    await assert.rejects(host.virsh('net-start', 'clash'), /already in use/)
    assert.deepEqual(await findClasses(nic('idle'), true), [])
    await host.run(['ip', 'link', 'add', 'idle0', 'type', 'bridge'])
    assert.deepEqual(await findClasses(nic('idle'), true), ['network-bridge-taken'])
    await assert.rejects(host.virsh('net-start', 'idle'))
    await host.run(['ip', 'link', 'delete', 'idle0'])
  })

  test('network-name-taken, network-bridge-taken and network-subnet-taken, before a network is defined', async () => {
    const facts = { files: new Map(), changesOwners: false, ...(await readHostNetworks(`/proc/${host.host.pid}/net`)) }
    const networks = await readNetworks(connect)
    const judge = (xml: string): readonly PreflightClass[] =>
      judgeNetworkDefinition(xml, facts, networks).map((one) => one.class)
    const uuid = '<uuid>99999999-2222-4333-8444-555555555555</uuid>'
    const cases = [
      [`<network><name>idle</name>${uuid}<bridge name='n9'/></network>`, 'network-name-taken'],
      [`<network><name>new</name>${uuid}<bridge name='idle0'/></network>`, 'network-bridge-taken'],
      [
        `<network><name>new</name>${uuid}<bridge name='n9'/><ip address='10.77.0.5' prefix='24'/></network>`,
        'network-subnet-taken',
      ],
      // Last: libvirt 11.3 takes the bridge away when it cannot start the network.
      [`<network><name>new</name>${uuid}<bridge name='taken0'/></network>`, 'network-bridge-taken'],
    ] as const
    for (const [xml, name] of cases) {
      assert.ok(
        judge(xml).some((one) => one === name),
        `not found: ${xml}`,
      )
      const refused = await connect.networkCreateXML({ xml }).then(
        async (network) => network.destroy().then(() => false),
        () => true,
      )
      assert.ok(refused, `libvirt started ${xml}`)
    }
    assert.deepEqual(
      judge(`<network><name>new</name>${uuid}<bridge name='n9'/><ip address='10.99.0.1' prefix='24'/></network>`),
      [],
    )
  })
})
