import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseDomainDemand } from '../../src/host/preflight-demand.ts'
import { judgeDefinition, judgeDomain } from '../../src/host/preflight-domain.ts'
import type { FileFact, HostFacts, HypervisorFacts, OtherDomain, PciFact } from '../../src/host/preflight-facts.ts'
import { PREFLIGHT_CLASSES, type PreflightClass } from '../../src/host/preflight-finding.ts'

const GOOD: FileFact = {
  kind: 'file',
  isReadable: true,
  isWritable: true,
  format: 'qcow2',
  isLocked: false,
  freeBytes: 2 ** 40,
}
const GONE: FileFact = {
  kind: 'missing',
  isReadable: false,
  isWritable: false,
  format: undefined,
  isLocked: false,
  freeBytes: 0,
}
const UUID = '6b1e8a4f-1df3-4e5b-9d0e-1a2b3c4d5e6f'
const PCI: PciFact = { driver: 'vfio-pci', group: 11, mates: [] }

const HOST: HostFacts = {
  files: new Map([['/srv/a.qcow2', GOOD]]),
  changesOwners: false,
  availableMemoryKib: 8_000_000,
  hugepages: new Map([
    [
      2048,
      {
        free: 600,
        byNode: new Map([
          [0, 600],
          [1, 0],
        ]),
      },
    ],
  ]),
  defaultHugepageKib: 2048,
  nodes: [0, 1],
  presentCpus: [0, 1, 2, 3],
  onlineCpus: [0, 1, 2],
  pci: new Map([['0000:01:00.0', PCI]]),
  usb: [{ vendor: '046d', product: 'c52b', bus: 1, device: 4 }],
  mdevs: [],
  renderNodes: ['/dev/dri/renderD128'],
  interfaces: ['lo', 'eth0', 'lan0'],
  subnets: [{ cidr: '10.0.2.0/24', interface: 'eth0' }],
  listeners: [{ protocol: 'tcp', address: '0.0.0.0', port: 5900 }],
  hasSwtpm: true,
  hasVirtiofsd: true,
  firmwares: [{ secureBoot: false }],
}

const OTHER: OtherDomain = {
  name: 'other',
  uuid: '11111111-2222-4333-8444-555555555555',
  isActive: true,
  isOurs: false,
  macs: [],
  disks: [],
  nvram: undefined,
  pci: [],
  cid: undefined,
}

const HYPERVISOR: HypervisorFacts = {
  libvirtVersion: 9_000_000,
  domains: [],
  networks: [{ name: 'lan', uuid: 'u', isActive: true, bridge: 'lan0', cidrs: ['10.1.1.0/24'] }],
  capabilities: {
    maxVcpus: 288,
    cpuModes: ['custom', 'host-model'],
    usableModels: ['qemu64'],
    knownModels: ['qemu64', 'EPYC'],
    firmwareValues: ['efi'],
    hasSecureBoot: true,
  },
  machines: ['q35', 'pc-q35-7.2'],
  isKvmUsable: true,
  volumes: new Map(),
  startsNetworks: false,
}

interface Case {
  readonly xml?: string
  readonly disk?: string
  readonly head?: string
  readonly os?: string
  readonly machine?: string
  readonly type?: string
  readonly memory?: number
  readonly host?: Partial<HostFacts>
  readonly files?: Readonly<Record<string, FileFact>>
  readonly hypervisor?: Partial<HypervisorFacts>
}

const DISK =
  "<disk type='file' device='disk'><driver type='qcow2'/><source file='/srv/a.qcow2'/><target dev='vda' bus='virtio'/></disk>"
const VOLUME =
  "<disk type='volume' device='disk'><driver type='qcow2'/><source pool='images' volume='a.qcow2'/><target dev='vda' bus='virtio'/></disk>"

function judge({
  by = judgeDomain,
  xml = '',
  disk = DISK,
  head = '',
  os = '',
  machine = 'q35',
  type = 'kvm',
  memory = 1_048_576,
  ...facts
}: Case & { readonly by?: typeof judgeDomain }): readonly PreflightClass[] {
  const demand = parseDomainDemand(
    `<domain type='${type}'><name>web</name><uuid>${UUID}</uuid><memory unit='KiB'>${memory}</memory>${head.includes('<vcpu') ? '' : '<vcpu>2</vcpu>'}${head}<os><type arch='x86_64' machine='${machine}'>hvm</type>${os}</os><devices><emulator>/usr/bin/qemu-system-x86_64</emulator>${disk}${xml}</devices></domain>`,
  )
  assert.ok(demand !== undefined)
  const host = { ...HOST, ...facts.host, files: new Map([...HOST.files, ...Object.entries(facts.files ?? {})]) }
  return by(demand, host, { ...HYPERVISOR, ...facts.hypervisor }).map((one) => one.class)
}

const nic = (source: string, type = 'network'): string =>
  `<interface type='${type}'><mac address='52:54:00:00:00:01'/><source ${source}/></interface>`
const hostdev =
  "<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0x0000' bus='0x01' slot='0x00' function='0x0'/></source></hostdev>"
const share = (shared: boolean): Case => ({
  xml: "<filesystem type='mount'><driver type='virtiofs'/><source dir='/srv'/><target dir='t'/></filesystem>",
  head: shared ? "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>" : '',
})
const chain = (length: number): Readonly<Record<string, FileFact>> =>
  Object.fromEntries(
    Array.from({ length }, (_, index) => [
      index === 0 ? '/srv/a.qcow2' : `/srv/${index}`,
      { ...GOOD, ...(index + 1 < length ? { backing: { file: `/srv/${index + 1}`, format: 'qcow2' } } : {}) },
    ]),
  )
const loader = (more = ''): string => `<loader readonly='yes' type='pflash'${more}>/fw/code.fd</loader>`

/** One or more for each class; each finds that class and nothing else. */
const CASES: Readonly<Record<Exclude<PreflightClass, 'network-name-taken'>, readonly Case[]>> = {
  'domain-name-taken': [{ hypervisor: { domains: [{ ...OTHER, name: 'web' }] } }],
  'domain-uuid-taken': [{ hypervisor: { domains: [{ ...OTHER, uuid: UUID }] } }],
  'mac-duplicate': [
    { xml: nic("network='lan'"), hypervisor: { domains: [{ ...OTHER, macs: ['52:54:00:00:00:01'] }] } },
    { xml: nic("network='lan'") + nic("network='lan'") },
  ],
  'target-duplicate': [{ xml: "<disk type='file' device='cdrom'><target dev='vda' bus='sata'/></disk>" }],
  'address-duplicate': [
    {
      xml: "<rng model='virtio'><address type='pci' bus='0x05' slot='0x00'/></rng><memballoon model='virtio'><address type='pci' bus='5' slot='0x0'/></memballoon>",
    },
  ],
  'disk-missing': [{ files: { '/srv/a.qcow2': GONE } }],
  'disk-not-a-file': [
    { files: { '/srv/a.qcow2': { ...GOOD, kind: 'folder', format: undefined } } },
    { disk: DISK.replace("type='file'", "type='block'").replace('file=', 'dev=') },
  ],
  'disk-unreadable': [
    { files: { '/srv/a.qcow2': { ...GOOD, isReadable: false } } },
    { files: { '/srv/a.qcow2': { ...GOOD, isWritable: false } } },
    { files: { '/srv/a.qcow2': { ...GOOD, closedFolder: '/srv' } }, host: { changesOwners: true } },
  ],
  'disk-format': [{ files: { '/srv/a.qcow2': { ...GOOD, format: 'raw' } } }, { disk: DISK.replace('qcow2', 'raw') }],
  'disk-shared': [
    {
      hypervisor: {
        domains: [
          { ...OTHER, disks: [{ file: '/srv/a.qcow2', isReadonly: false, isShareable: false, target: 'vdb' }] },
        ],
      },
    },
  ],
  'disk-locked': [{ files: { '/srv/a.qcow2': { ...GOOD, isLocked: true } } }],
  'disk-bus': [{ disk: DISK.replace("bus='virtio'", "bus='ide'") }],
  'pool-missing': [{ disk: VOLUME, hypervisor: { volumes: new Map([['disk vda', 'pool-missing']]) } }],
  'pool-inactive': [{ disk: VOLUME, hypervisor: { volumes: new Map([['disk vda', 'pool-inactive']]) } }],
  'volume-missing': [{ disk: VOLUME, hypervisor: { volumes: new Map([['disk vda', 'volume-missing']]) } }],
  'backing-missing': [{ files: { '/srv/a.qcow2': { ...GOOD, backing: { file: '/b', format: 'raw' } }, '/b': GONE } }],
  'backing-unreadable': [
    {
      files: {
        '/srv/a.qcow2': { ...GOOD, backing: { file: '/b', format: 'raw' } },
        '/b': { ...GOOD, isReadable: false },
      },
    },
    {
      files: {
        '/srv/a.qcow2': { ...GOOD, backing: { file: '/b', format: 'raw' } },
        '/b': { ...GOOD, closedFolder: '/' },
      },
    },
  ],
  'backing-format-unsaid': [
    { files: { ...chain(3), '/srv/a.qcow2': { ...GOOD, backing: { file: '/srv/1', format: undefined } } } },
  ],
  'backing-too-deep': [
    { files: chain(26), hypervisor: { libvirtVersion: 11_003_000 } },
    { files: chain(201) },
    {
      files: {
        '/srv/a.qcow2': { ...GOOD, backing: { file: '/b', format: 'qcow2' } },
        '/b': { ...GOOD, backing: { file: '/srv/a.qcow2', format: 'qcow2' } },
      },
    },
  ],
  'transient-stale': [
    { disk: DISK.replace('</disk>', '<transient/></disk>'), files: { '/srv/a.qcow2.TRANSIENT-web': GOOD } },
  ],
  'transient-unsupported': [
    { disk: DISK.replace('</disk>', '<transient/><readonly/></disk>') },
    { disk: DISK.replace('</disk>', "<transient shareBacking='yes'/></disk>").replace("bus='virtio'", "bus='sata'") },
    { disk: DISK.replace('</disk>', '<transient/></disk>'), hypervisor: { libvirtVersion: 6_000_000 } },
  ],
  'space-short': [{ files: { '/srv/a.qcow2': { ...GOOD, freeBytes: 1_000_000 } } }],
  'kernel-missing': [
    { os: '<kernel>/boot/k</kernel>', files: { '/boot/k': GONE } },
    { os: '<initrd>/boot/i</initrd>', files: { '/boot/i': GONE } },
  ],
  'memory-short': [{ memory: 8_000_001 }],
  'hugepages-size': [{ head: "<memoryBacking><hugepages><page size='1' unit='GiB'/></hugepages></memoryBacking>" }],
  'hugepages-short': [
    { head: '<memoryBacking><hugepages/></memoryBacking>', memory: 601 * 2_048 },
    { head: "<memoryBacking><hugepages/></memoryBacking><numatune><memory nodeset='1'/></numatune>" },
  ],
  'numa-node-missing': [{ head: "<numatune><memory nodeset='0-2'/></numatune>" }],
  'memlock-short': [{ xml: hostdev, host: { memlockKib: 64 } }],
  'vcpus-maximum': [{ head: '<vcpu>289</vcpu>' }],
  'pin-outside': [{ head: "<cputune><emulatorpin cpuset='0-9,^1'/></cputune>" }, { head: "<vcpu cpuset='4'>2</vcpu>" }],
  'pin-offline': [{ head: "<cputune><vcpupin vcpu='0' cpuset='3'/></cputune>" }],
  'cpu-mode': [{ head: "<cpu mode='host-passthrough'/>" }],
  'cpu-model': [
    { head: "<cpu mode='custom'><model>Zen9</model></cpu>" },
    { head: "<cpu mode='custom'><model fallback='forbid'>EPYC</model></cpu>" },
  ],
  'pci-missing': [{ xml: hostdev.replace("bus='0x01'", "bus='0x02'") }],
  'pci-in-use': [
    { xml: hostdev, hypervisor: { domains: [{ ...OTHER, pci: ['0000:01:00.0'] }] } },
    {
      xml: hostdev.replace("managed='yes'", "managed='no'"),
      host: { pci: new Map([['0000:01:00.0', { ...PCI, driver: 'e1000e' }]]) },
    },
  ],
  'pci-no-iommu': [{ xml: hostdev, host: { pci: new Map([['0000:01:00.0', { ...PCI, group: undefined }]]) } }],
  'pci-group': [
    {
      xml: hostdev,
      host: {
        pci: new Map([['0000:01:00.0', { ...PCI, mates: [{ address: '0000:01:00.1', driver: 'snd_hda_intel' }] }]]),
      },
    },
  ],
  'usb-missing': [
    { xml: "<hostdev type='usb'><source><vendor id='0x4030'/><product id='0x6010'/></source></hostdev>" },
    { xml: "<hostdev type='usb'><source><address bus='1' device='5'/></source></hostdev>" },
  ],
  'mdev-missing': [
    { xml: "<hostdev type='mdev'><source><address uuid='c2177883-f1bb-47f0-914d-32a22e3a8804'/></source></hostdev>" },
  ],
  'input-missing': [
    {
      xml: "<input type='evdev'><source dev='/dev/input/by-id/kbd'/></input>",
      files: { '/dev/input/by-id/kbd': GONE },
    },
  ],
  'render-node-missing': [
    {
      xml: "<graphics type='spice'><listen type='none'/><gl enable='yes' rendernode='/dev/dri/renderD129'/></graphics>",
    },
  ],
  'tpm-missing': [
    { xml: "<tpm><backend type='emulator'/></tpm>", host: { hasSwtpm: false } },
    { xml: "<tpm><backend type='passthrough'/></tpm>", files: { '/dev/tpm0': GONE } },
  ],
  'share-missing': [{ ...share(true), files: { '/srv': GONE } }],
  'virtiofsd-missing': [{ ...share(true), host: { hasVirtiofsd: false } }],
  'virtiofs-memory': [share(false)],
  'vsock-missing': [{ xml: "<vsock><cid auto='yes'/></vsock>", files: { '/dev/vhost-vsock': GONE } }],
  'vsock-cid-taken': [
    { xml: "<vsock><cid auto='no' address='3'/></vsock>", hypervisor: { domains: [{ ...OTHER, cid: 3 }] } },
  ],
  'network-missing': [{ xml: nic("network='wan'") }],
  'network-inactive': [
    {
      xml: nic("network='lan'"),
      hypervisor: { networks: [{ name: 'lan', uuid: 'u', isActive: false, bridge: 'lan1', cidrs: [] }] },
    },
  ],
  'network-bridge-taken': [
    {
      xml: nic("network='lan'"),
      hypervisor: {
        startsNetworks: true,
        networks: [{ name: 'lan', uuid: 'u', isActive: false, bridge: 'lan0', cidrs: [] }],
      },
    },
  ],
  'network-subnet-taken': [
    {
      xml: nic("network='lan'"),
      hypervisor: {
        startsNetworks: true,
        networks: [{ name: 'lan', uuid: 'u', isActive: false, bridge: 'lan1', cidrs: ['10.0.0.0/16'] }],
      },
    },
  ],
  'bridge-missing': [{ xml: nic("bridge='br0'", 'bridge') }, { xml: nic("dev='eth9' mode='bridge'", 'direct') }],
  'tun-missing': [{ xml: nic("network='lan'"), files: { '/dev/net/tun': GONE } }],
  'port-taken': [
    { xml: "<graphics type='vnc' port='5900' listen='127.0.0.1'/>" },
    {
      xml: "<interface type='user'><backend type='passt'/><portForward proto='tcp'><range start='5890' end='5910' to='22'/></portForward></interface>",
    },
  ],
  'emulator-missing': [{ files: { '/usr/bin/qemu-system-x86_64': GONE } }],
  'machine-unknown': [{ machine: 'pc-q35-99.0' }],
  'kvm-unusable': [{ hypervisor: { isKvmUsable: false } }],
  'firmware-missing': [{ os: loader(), files: { '/fw/code.fd': GONE } }],
  'secure-boot-smm': [{ os: loader(" secure='yes'") }],
  'nvram-template-missing': [
    { os: `${loader()}<nvram template='/fw/vars.fd'>/n</nvram>`, files: { '/fw/vars.fd': GONE, '/n': GONE } },
  ],
  'nvram-shared': [{ os: `${loader()}<nvram>/n</nvram>`, hypervisor: { domains: [{ ...OTHER, nvram: '/n' }] } }],
  'libvirt-too-old': [
    { xml: "<interface type='user'><backend type='passt'/></interface>", hypervisor: { libvirtVersion: 8_000_000 } },
  ],
}

test('a definition that fits its host has no findings', () => {
  assert.deepEqual(judge({}), [])
  assert.deepEqual(
    judge({ xml: nic("network='lan'") + hostdev + "<graphics type='vnc' port='-1' autoport='yes'/>" }),
    [],
  )
  assert.deepEqual(
    judge({
      ...share(true),
      head: `${share(true).head}<cpu mode='host-model'/><cputune><vcpupin vcpu='0' cpuset='2-3'/></cputune>`,
    }),
    [],
  )
})

describe('each class is found by itself', () => {
  for (const [name, cases] of Object.entries(CASES))
    test(name, () => {
      for (const one of cases) {
        assert.deepEqual([...new Set(judge(one))], [name], JSON.stringify(one))
      }
    })

  test('firmware that is chosen by kind', () => {
    const xml = (features: string): string =>
      `<domain type='kvm'><name>web</name><memory>1</memory><os firmware='efi'><type arch='x86_64' machine='q35'>hvm</type><firmware>${features}</firmware></os></domain>`
    const found = (features: string, firmwares: HostFacts['firmwares']): readonly string[] => {
      const demand = parseDomainDemand(xml(features))
      assert.ok(demand !== undefined)
      return judgeDomain(demand, { ...HOST, firmwares }, HYPERVISOR).map((one) => one.class)
    }
    assert.deepEqual(found('', []), ['firmware-missing'])
    assert.deepEqual(found('', [{ secureBoot: false }]), [])
    assert.deepEqual(found("<feature enabled='yes' name='secure-boot'/>", [{ secureBoot: false }]), [
      'firmware-missing',
    ])
  })

  test('missing hugepages: the fix is the command that reserves them, cell by cell', () => {
    const fixes = (name: string, memoryKib: number, head: string, byNode: readonly [number, number][]): unknown => {
      const demand = parseDomainDemand(
        `<domain type='kvm'><name>${name}</name><memory unit='KiB'>${memoryKib}</memory><memoryBacking><hugepages/></memoryBacking>${head}</domain>`,
      )
      assert.ok(demand !== undefined)
      const free = byNode.reduce((sum, [, pages]) => sum + pages, 0)
      const host = { ...HOST, files: new Map(), hugepages: new Map([[2048, { free, byNode: new Map(byNode) }]]) }
      const found = judgeDomain(demand, host, { ...HYPERVISOR, machines: undefined }).filter(
        (one) => one.class === 'hugepages-short',
      )
      return found.map(({ reason, fix }) => [reason, fix])
    }
    const on = (first: number, second: number): [number, number][] => [
      [0, first],
      [1, second],
    ]
    assert.deepEqual(fixes('web', 1_048_576, '', on(100, 200)), [
      [
        '512 hugepages of 2048 KiB are needed and 300 are free',
        'Reserve them as root: vmpkg host hugepages reserve 1GiB --size 2MiB --for web',
      ],
    ])
    const cells =
      "<cpu><numa><cell id='0' cpus='0-1' memory='1048576' unit='KiB'/><cell id='1' cpus='2' memory='512' unit='MiB'/></numa></cpu>" +
      "<numatune><memory nodeset='0-1'/><memnode cellid='0' nodeset='0'/><memnode cellid='1' nodeset='1'/></numatune>"
    assert.deepEqual(fixes('it&apos;s', 1_572_864, cells, on(600, 200)), [
      [
        '256 hugepages of 2048 KiB are needed on NUMA node 1 and 200 are free there',
        "Reserve them as root: vmpkg host hugepages reserve 1GiB --size 2MiB --node 0 --for 'it'\\''s' && " +
          "vmpkg host hugepages reserve 512MiB --size 2MiB --node 1 --for 'it'\\''s'",
      ],
    ])
    assert.deepEqual(fixes('web', 1_572_864, cells, on(512, 256)), [])
    // Memory and its only cell name the same node: its pages count once.
    const one =
      "<cpu><numa><cell id='0' cpus='0' memory='1048576' unit='KiB'/></numa></cpu><numatune><memory nodeset='0'/><memnode cellid='0' nodeset='0'/></numatune>"
    assert.equal((fixes('web', 1_048_576, one, on(300, 600)) as unknown[]).length, 1)
    assert.deepEqual(fixes('web', 1_048_576, one.replaceAll('memnode', "memnode mode='preferred'"), on(300, 600)), [])
  })

  test('no class is without a case', () => {
    const all = [...Object.keys(CASES), 'network-name-taken']
    assert.deepEqual(all.toSorted(), Object.keys(PREFLIGHT_CLASSES).toSorted())
  })
})

describe('no false alarm', () => {
  test('what is not known is not judged', () => {
    const demand = parseDomainDemand(
      `<domain type='kvm'><name>w</name><memory>1</memory><devices>${hostdev}${DISK}${nic("bridge='br0'", 'bridge')}</devices></domain>`,
    )
    assert.ok(demand !== undefined)
    const { capabilities: _capabilities, machines: _machines, ...rest } = HYPERVISOR
    assert.deepEqual(
      judgeDomain(demand, { files: new Map(), changesOwners: true }, { ...rest, isKvmUsable: undefined }),
      [],
    )
  })

  test('a disk may be read by many, marked shareable, or belong to a stopped domain', () => {
    const other = { file: '/srv/a.qcow2', isReadonly: false, isShareable: false, target: 'vda' }
    const having = (one: Partial<typeof other>, isActive = true): Case => ({
      hypervisor: { domains: [{ ...OTHER, isActive, disks: [{ ...other, ...one }] }] },
    })
    assert.deepEqual(judge(having({ isShareable: true })), [])
    assert.deepEqual(judge(having({}, false)), [])
    assert.deepEqual(
      judge({ ...having({ isReadonly: true }), disk: DISK.replace('</disk>', '<readonly/></disk>') }),
      [],
    )
  })

  test('mates that are passed through as well, or bound to vfio-pci, do not stand in the way', () => {
    const mate = (driver: string): Partial<HostFacts> => ({
      pci: new Map([
        ['0000:01:00.0', { ...PCI, mates: [{ address: '0000:01:00.1', driver }] }],
        ['0000:01:00.1', PCI],
      ]),
    })
    assert.deepEqual(judge({ xml: hostdev, host: mate('vfio-pci') }), [])
    assert.deepEqual(
      judge({ xml: hostdev + hostdev.replace("function='0x0'", "function='0x1'"), host: mate('snd_hda_intel') }),
      [],
    )
  })

  test('a newer libvirt makes the overlay of a transient disk anew', () => {
    const files = { '/srv/a.qcow2.TRANSIENT-web': GOOD }
    const disk = DISK.replace('</disk>', '<transient/></disk>')
    assert.deepEqual(judge({ disk, files, hypervisor: { libvirtVersion: 11_003_000 } }), [])
  })

  test('an optional medium may be absent', () => {
    const medium =
      "<disk type='file' device='cdrom'><driver type='raw'/><source file='/srv/a.iso' startupPolicy='optional'/><target dev='sda' bus='sata'/></disk>"
    assert.deepEqual(judge({ xml: medium, files: { '/srv/a.iso': GONE } }), [])
  })
})

test('a definition is refused for what cannot be until the start: not for a missing file, but for a TPM without swtpm', () => {
  const GONE_DISK = { files: { '/srv/a.qcow2': GONE } }
  assert.deepEqual(judge({ by: judgeDefinition, ...GONE_DISK }), [])
  assert.deepEqual(judge(GONE_DISK), ['disk-missing'])
  const tpm = "<tpm><backend type='emulator'/></tpm>"
  assert.deepEqual(judge({ by: judgeDefinition, xml: tpm, host: { hasSwtpm: false } }), ['tpm-missing'])
  assert.deepEqual(judge({ by: judgeDefinition, xml: tpm }), [])
})
