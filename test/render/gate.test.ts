/** Each capability: what needs it passes with it, signed and granted, and with nothing less. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isVmpkgError } from '../../src/errors.ts'
import { CAPABILITY_NAMES, type Capability, type CapabilityName, grantName } from '../../src/model/capability.ts'
import { renderDomain } from '../../src/render/domain.ts'
import { verifyDomainPolicy } from '../../src/render/domain-policy.ts'
import type { Finding } from '../../src/render/policy.ts'
import { consoleContext, readPartials, readTemplate } from '../support/render-contexts.ts'
import { findSchemaFault } from '../support/schema.ts'

const client = renderDomain({
  template: readTemplate('app-console/domain.xml.hbs'),
  partials: readPartials(),
  context: consoleContext,
})
const lan: Capability = { name: 'network', wan: 'uni' }

interface Sample {
  readonly capability: Capability
  /** Among the devices, or before `<os>`. */
  readonly devices?: string
  readonly head?: string
  readonly namespace?: string
  /** What the user gave; without it the sample is refused, where there is any. */
  readonly chosen?: readonly string[]
}

const plain = (name: Exclude<CapabilityName, 'network' | 'pci' | 'host-file' | 'host-folder'>): Capability => ({ name })
const disk = (type: string, rest: string, access = ''): string =>
  `<disk type='${type}' device='disk'><driver name='qemu' type='raw'/>${rest}<target dev='vdb' bus='virtio'/>${access}</disk>`
const pci = (slot: string): string =>
  `<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0x0000' bus='0x01' slot='0x${slot}' function='0x0'/></source></hostdev>`
const card = (type: string, rest: string): string =>
  `<interface type='${type}'><mac address='52:54:00:aa:bb:cc'/>${rest}<model type='virtio'/></interface>`

const samples: readonly Sample[] = [
  { capability: { name: 'pci', class: 'display' }, devices: pci('00'), chosen: ['0000:01:00.0'] },
  {
    capability: plain('hugepages'),
    head: "<memoryBacking><hugepages><page size='2048' unit='KiB'/></hugepages></memoryBacking>",
  },
  {
    capability: plain('usb'),
    devices:
      "<hostdev mode='subsystem' type='usb'><source><vendor id='0x1d6b'/><product id='0x0104'/></source></hostdev>",
    chosen: ['1d6b:0104'],
  },
  {
    capability: plain('usb'),
    devices: "<hostdev mode='subsystem' type='usb'><source><address bus='1' device='4'/></source></hostdev>",
    chosen: ['1.4'],
  },
  {
    capability: plain('mdev'),
    devices:
      "<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source><address uuid='c2177883-f1bb-47f0-914d-32a22e3a8804'/></source></hostdev>",
    chosen: ['c2177883-f1bb-47f0-914d-32a22e3a8804'],
  },
  {
    capability: plain('evdev'),
    devices: "<input type='evdev'><source dev='/dev/input/by-id/usb-k-event-kbd' grab='all' repeat='on'/></input>",
    chosen: ['/dev/input/by-id/usb-k-event-kbd'],
  },
  {
    capability: { name: 'host-folder', access: 'read' },
    devices:
      "<filesystem type='mount' accessmode='mapped'><source dir='/srv/a'/><target dir='host_a'/><readonly/></filesystem>",
    chosen: ['/srv/a'],
  },
  {
    capability: { name: 'host-folder', access: 'write' },
    devices:
      "<filesystem type='mount'><driver type='virtiofs'/><source dir='/srv/a'/><target dir='host_a'/></filesystem>",
    chosen: ['/srv/a'],
  },
  {
    capability: { name: 'host-file', access: 'read' },
    devices: disk('file', "<source file='/srv/win.iso'/>", '<readonly/>'),
    chosen: ['/srv/win.iso'],
  },
  {
    capability: { name: 'host-file', access: 'write' },
    devices: disk('file', "<source file='/srv/data.img'/>"),
    chosen: ['/srv/data.img'],
  },
  {
    capability: plain('block-device'),
    devices: disk('block', "<source dev='/dev/vg/data'/>"),
    chosen: ['/dev/vg/data'],
  },
  {
    capability: plain('network-disk'),
    devices: disk('network', "<source protocol='nbd' name='data'><host name='store.example' port='10809'/></source>"),
    chosen: ['data', 'store.example', '10809'],
  },
  {
    capability: plain('tpm-passthrough'),
    devices: "<tpm model='tpm-tis'><backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm>",
  },
  {
    capability: plain('user-network'),
    devices: card('user', ''),
  },
  {
    capability: plain('user-network'),
    devices: card(
      'user',
      "<backend type='passt'/><portForward proto='tcp' address='192.0.2.1'><range start='8080' to='80'/></portForward>",
    ),
    chosen: ['192.0.2.1'],
  },
  {
    capability: plain('tunnel'),
    devices: card('udp', "<source address='127.0.0.1' port='11115'><local address='127.0.0.1' port='11116'/></source>"),
    chosen: ['127.0.0.1', '11115', '11116'],
  },
  {
    capability: plain('tunnel'),
    devices: card('mcast', "<source address='230.0.0.1' port='5558'/>"),
    chosen: ['230.0.0.1', '5558'],
  },
  {
    capability: plain('direct-network'),
    devices: card('direct', "<source dev='eth0' mode='bridge'/>"),
    chosen: ['eth0'],
  },
  {
    capability: plain('shared-memory'),
    head: "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>",
  },
  {
    capability: plain('shared-memory'),
    devices: "<shmem name='glass'><model type='ivshmem-plain'/><size unit='M'>32</size></shmem>",
  },
  { capability: plain('locked-memory'), head: '<memoryBacking><locked/></memoryBacking>' },
  { capability: plain('cpu-pinning'), head: "<cputune><vcpupin vcpu='0' cpuset='2-3'/></cputune>" },
  { capability: plain('cpu-pinning'), head: "<numatune><memory mode='strict' nodeset='0'/></numatune>" },
  { capability: plain('realtime'), head: "<cputune><vcpusched vcpus='0' scheduler='fifo' priority='1'/></cputune>" },
  {
    capability: plain('gpu-share'),
    devices: "<graphics type='egl-headless'><gl rendernode='/dev/dri/renderD128'/></graphics>",
    chosen: ['/dev/dri/renderD128'],
  },
  {
    capability: plain('gpu-share'),
    devices: "<video><model type='virtio' heads='1' primary='yes'><acceleration accel3d='yes'/></model></video>",
  },
  { capability: plain('host-audio'), devices: "<audio id='1' type='pulseaudio'/>" },
  { capability: plain('vsock'), devices: "<vsock model='virtio'><cid auto='yes'/></vsock>" },
  { capability: plain('redirection'), devices: "<redirdev bus='usb' type='spicevmc'/>" },
  {
    capability: plain('redirection'),
    devices: "<channel type='spicevmc'><target type='virtio' name='com.redhat.spice.0'/></channel>",
  },
  {
    capability: plain('host-chardev'),
    devices: "<parallel type='unix'><source mode='bind' path='/srv/line.sock'/><target port='0'/></parallel>",
    chosen: ['/srv/line.sock'],
  },
  {
    capability: plain('host-chardev'),
    devices: "<parallel type='dev'><source path='/dev/ttyS4'/><target port='0'/></parallel>",
    chosen: ['/dev/ttyS4'],
  },
  {
    capability: plain('qemu-commandline'),
    namespace: " xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'",
    devices: '',
    head: '',
  },
]

function build({ devices = '', head = '', namespace = '' }: Sample): string {
  const foreign = namespace === '' ? '' : "<qemu:commandline><qemu:arg value='-no-hpet'/></qemu:commandline>"
  return client
    .replace('<domain ', () => `<domain${namespace} `)
    .replace('<os>', () => `${head}<os>`)
    .replace('<rng', () => `${devices}<rng`)
    .replace('</domain>', () => `${foreign}</domain>`)
}

function judge(
  xml: string,
  capabilities: readonly Capability[],
  granted: readonly CapabilityName[],
  chosen: readonly string[] = [],
): readonly Finding[] {
  try {
    verifyDomainPolicy({
      xml,
      context: consoleContext,
      capabilities: [lan, ...capabilities],
      granted,
      choices: { texts: chosen, devices: {} },
    })
    return []
  } catch (error) {
    assert.ok(isVmpkgError(error, 'POLICY_REFUSED'), String(error))
    return error.details['findings'] as readonly Finding[]
  }
}

for (const [index, sample] of samples.entries()) {
  const { capability, chosen = [] } = sample
  // Of a device of unknown class any class is enough; the planner tells classes.
  const name = capability.name === 'pci' ? 'pci' : grantName(capability)
  test(`${name} allows what needs it, signed, granted and as the user chose (${index + 1})`, () => {
    const xml = build(sample)
    assert.notEqual(xml, client)
    assert.deepEqual(judge(xml, [capability], [capability.name], chosen), [])
    const unsigned = judge(xml, [], [capability.name], chosen)
    assert.ok(
      unsigned.some(({ allowedBy, reason }) => allowedBy === name && reason.includes('does not declare')),
      name,
    )
    const ungranted = judge(xml, [capability], [], chosen)
    assert.ok(
      ungranted.some(({ allowedBy, reason }) => allowedBy === name && reason.includes('is not granted')),
      name,
    )
    // All other capabilities together are not this one.
    const others = samples.map((one) => one.capability).filter((one) => one.name !== capability.name)
    assert.ok(
      judge(xml, others, CAPABILITY_NAMES, chosen).some(({ allowedBy }) => allowedBy === name),
      name,
    )
    for (const value of chosen) {
      const left = chosen.filter((one) => one !== value)
      assert.notDeepEqual(judge(xml, [capability], [capability.name], left), [], `${name} without ${value} of the user`)
    }
  })
}

test('there is a sample of every capability that a domain can need by what it holds', () => {
  const sampled = new Set(samples.map(({ capability }) => capability.name))
  // Cards on networks and bridges are planned: domain-policy.test.ts.
  const rest = CAPABILITY_NAMES.filter((name) => !sampled.has(name))
  assert.deepEqual(rest, ['network', 'host-bridge'])
})

test('the samples are documents that libvirt’s schema accepts', () => {
  for (const sample of samples)
    assert.equal(findSchemaFault(build(sample), 'domain'), undefined, JSON.stringify(sample))
})

test('writing holds reading, reading does not hold writing, and a class of device is not another', () => {
  const read = build({ capability: lan, devices: disk('file', "<source file='/srv/a'/>", '<readonly/>') })
  const write = build({ capability: lan, devices: disk('file', "<source file='/srv/a'/>") })
  const [reading, writing]: readonly Capability[][] = [
    [{ name: 'host-file', access: 'read' }],
    [{ name: 'host-file', access: 'write' }],
  ]
  assert.deepEqual(judge(read, writing ?? [], ['host-file'], ['/srv/a']), [])
  assert.match(
    judge(write, reading ?? [], ['host-file'], ['/srv/a'])[0]?.reason ?? '',
    /writing needs .* host-file:write/,
  )
  const address = '0000:01:00.0'
  const device = build({ capability: lan, devices: pci('00') })
  assert.deepEqual(judge(device, [{ name: 'pci', class: 'usb' }], ['pci'], [address]), [])
  assert.match(
    judge(device, [{ name: 'pci', class: 'usb' }], ['pci'], ['0000:02:00.0'])[0]?.reason ?? '',
    /not planned/,
  )
})

test('an agent that shares nothing needs no capability', () => {
  const channel = "<channel type='spicevmc'><target type='virtio' name='com.redhat.spice.0'/></channel>"
  const display = (rest: string): string => `${channel}<graphics type='spice'><listen type='socket'/>${rest}</graphics>`
  const shut = build({ capability: lan, devices: display("<clipboard copypaste='no'/><filetransfer enable='no'/>") })
  assert.deepEqual(judge(shut, [], []), [])
  const half = build({ capability: lan, devices: display("<clipboard copypaste='no'/>") })
  assert.match(judge(half, [], [])[0]?.reason ?? '', /clipboard.*redirection/)
})

test('the hint names what to grant where nothing else is wrong', () => {
  const xml = build({ capability: lan, devices: "<vsock model='virtio'><cid auto='yes'/></vsock>" })
  assert.throws(
    () => verifyDomainPolicy({ xml, context: consoleContext, capabilities: [lan, plain('vsock')], granted: [] }),
    (error) => isVmpkgError(error, 'POLICY_REFUSED') && (error.hint ?? '').includes('--grant vsock'),
  )
})
