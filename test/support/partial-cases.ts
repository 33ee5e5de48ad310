/**
 * Every partial and preset in use: domains and networks that together hold all fragments of the requirements, with the
 * parameters that a user would set. Their renderings are golden files.
 */
import type { Parameter, ParameterValue } from '../../src/model/manifest.ts'
import type { Placement } from '../../src/model/placement.ts'
import type { DomainTemplateContext, NetworkTemplateContext } from '../../src/model/template-context.ts'
import { chooseForDomain, chooseForNetwork } from '../../src/render/chosen.ts'
import { mergeParameters } from '../../src/render/parameters.ts'
import { osContext, routerContext, uplinkContext } from './render-contexts.ts'

export interface PartialCase {
  readonly name: string
  readonly template: string
  readonly context: DomainTemplateContext
  readonly parameterNames: readonly string[]
  /** Why an unprepared host with libvirt 9.0 does not define it; undefined where it does. */
  readonly needsHost?: string
}

export interface NetworkCase {
  readonly name: string
  readonly template: string
  readonly context: NetworkTemplateContext
  readonly needsHost?: string
}

/** Two guest cells on two host nodes, siblings together, the first cores for the host. */
export const twoNodes: Placement = {
  vcpuPins: [
    { vcpu: 0, cpus: [2] },
    { vcpu: 1, cpus: [12] },
    { vcpu: 2, cpus: [7] },
    { vcpu: 3, cpus: [17] },
  ],
  emulatorCpus: [0, 1, 10, 11],
  iothreadPins: [{ iothread: 1, cpus: [1, 11] }],
  memoryNodes: [0, 1],
  topology: { sockets: 2, dies: 1, cores: 1, threads: 2 },
  cells: [
    { id: 0, vcpus: [0, 1], memoryKib: 1_048_576, hostNode: 0, pageKib: 2048 },
    { id: 1, vcpus: [2, 3], memoryKib: 1_048_576, hostNode: 1, pageKib: 1_048_576 },
  ],
  reasons: ['CPUs 0, 1, 10 and 11 stay with the host.'],
}

const pci = (bus: string, fn: string) => ({ domain: '0000', bus, slot: '00', function: fn })
const tcg = osContext.host
const kvm = { ...osContext.host, libvirtVersion: '9.0.0', qemuVersion: '7.2.0' } as const
const onKvm = { host: kvm } as const
const qemu = { host: { ...tcg, virtType: 'qemu', libvirtVersion: '9.0.0', qemuVersion: '7.2.0' } } as const

interface CaseInput {
  readonly domain?: string
  readonly os?: string
  readonly tuning?: string
  readonly features?: string
  readonly cpu?: string
  readonly clock?: string
  readonly devices?: string
  readonly definitions?: Readonly<Record<string, Parameter>>
  readonly values?: Readonly<Record<string, unknown>>
  readonly pci?: Readonly<Record<string, readonly ReturnType<typeof pci>[]>>
  readonly context?: Partial<DomainTemplateContext>
  readonly after?: string
  readonly needsHost?: string
}

function domain(name: string, input: CaseInput): PartialCase {
  const { definitions = {}, values = {} } = input
  const lines = (text: string | undefined, indent: string): string =>
    text === undefined ? '' : `${text.trim().replace(/^ */gm, indent)}\n`
  const template =
    `<domain type='{{host.virtType}}'${input.domain ?? ''}>\n  {{> identity}}\n` +
    `${lines(input.tuning, '  ')}${lines(input.os ?? '{{> os-bios}}', '  ')}` +
    `${lines(input.features ?? '{{> features}}', '  ')}${lines(input.cpu ?? '{{> cpu-tuned}}', '  ')}` +
    lines(input.clock ?? '{{> clock}}\n{{> power}}', '  ') +
    `  <devices>\n    <emulator>{{host.emulator}}</emulator>\n${lines(input.devices, '    ')}  </devices>\n` +
    `${lines(input.after, '  ')}</domain>\n`
  const merged = mergeParameters(definitions, [{ origin: 'command line', values }])
  const params: Readonly<Record<string, ParameterValue>> = Object.fromEntries(
    Object.entries(merged).map(([key, { value }]) => [key, value]),
  )
  const base: DomainTemplateContext = { ...osContext, ...onKvm, nics: [], params }
  const { wan: _, ...withoutWan } = base
  const { uuid } = osContext.domain
  const chosen = chooseForDomain({ definitions, values: params, uuid, ...(input.pci ? { pci: input.pci } : {}) })
  const context = { ...withoutWan, ...chosen, ...input.context }
  const { needsHost } = input
  return {
    name,
    template,
    context: { ...context, domain: { ...context.domain, name } },
    parameterNames: Object.keys(definitions),
    ...(needsHost === undefined ? {} : { needsHost }),
  }
}

const FOUR = { domain: { ...osContext.domain, memoryKib: 2_097_152, vcpus: 4 } } as const

export const DOMAIN_CASES: readonly PartialCase[] = [
  domain('pinned', {
    tuning: `{{> memory-backing hugepages=true nosharepages=true locked=true}}
      {{> iothreads count=1}}
      {{> cputune scheduler="fifo" priority=1 emulatorScheduler="batch"}}
      {{> numatune}}`,
    context: { ...FOUR, placement: twoNodes },
    devices: `{{> disk-tuned cache="none" io="native" iothread=1}}\n{{> balloon}}`,
    needsHost: 'two NUMA nodes',
  }),
  domain('huge-pages-of-one-size', {
    tuning: `{{> memory-backing hugepages=true pageKib=2048 allocation="immediate" threads=2}}
      {{> cputune shares=2048}}`,
    devices: '{{> balloon}}',
  }),
  domain('windows', {
    os: '{{> os-uefi secure=true boot="hd" then="cdrom"}}',
    features: '{{> features-windows smm=true}}',
    clock: '{{> clock preset="windows"}}\n{{> power}}',
    cpu: '{{> cpu-tuned cache="passthrough"}}',
    context: {
      host: {
        ...kvm,
        secureFirmware: {
          code: '/usr/share/OVMF/OVMF_CODE_4M.ms.fd',
          vars: '/usr/share/OVMF/OVMF_VARS_4M.ms.fd',
        },
      },
    },
    definitions: { installer: { type: 'iso' }, drivers: { type: 'iso' } },
    values: { installer: '/srv/iso/windows.iso', drivers: '/usr/share/virtio-win/virtio-win.iso' },
    devices: `{{> disk-tuned discard="unmap"}}
      {{> cdroms}}
      {{> tpm persistent="yes"}}
      {{> desktop sound=true}}
      {{> balloon model="virtio" reporting="on" autodeflate="on" statsSeconds=5}}
      {{> panic model="hyperv"}}`,
    needsHost: 'swtpm',
  }),
  domain('gpu-passthrough', {
    os: '{{> os-uefi}}',
    features: '{{> features-windows hidden=true}}',
    cpu: '{{> cpu-tuned hidden=true}}',
    clock: '{{> clock preset="discard"}}\n{{> power}}',
    definitions: {
      gpu: { type: 'pci', class: 'display' },
      usb: { type: 'usb', list: true },
      keyboard: { type: 'evdev' },
      mouse: { type: 'evdev' },
      disk: { type: 'block' },
    },
    values: {
      gpu: '01:00.0',
      usb: ['046d:c52b', '3.4'],
      keyboard: '/dev/input/by-id/usb-Example_Keyboard-event-kbd',
      mouse: '/dev/input/by-id/usb-Example_Mouse-event-mouse',
      disk: '/dev/vgmain/games',
    },
    pci: { gpu: [pci('01', '0'), pci('01', '1')] },
    devices: `{{> disks cache="none" io="native" discard="unmap" blockBytes=4096 serial="games"}}
      {{> hostdevs parameter="gpu" rom="off"}}
      {{> hostdevs parameter="usb" startup="optional"}}
      {{> evdevs parameter="keyboard" grab="all" repeat="on"}}
      {{> evdevs parameter="mouse"}}
      {{> video type="none"}}
      {{> graphics type="none"}}
      {{> usb}}
      {{> input type="keyboard" bus="virtio"}}
      {{> balloon}}`,
  }),
  domain('mediated-gpu', {
    definitions: { vgpu: { type: 'mdev' }, render: { type: 'device' } },
    values: { vgpu: '6f8b0a3c-6f1c-4b0e-9d2b-0d6a7c0e5b11', render: '/dev/dri/renderD128' },
    features: '{{> features-hidden}}',
    devices: `{{> hostdevs display="on"}}
      {{> graphics type="egl-headless" renderNode=params.render}}
      {{> graphics type="vnc"}}
      {{> video type="ramfb"}}`,
    needsHost: 'a render node',
  }),
  domain('shared-folders', {
    tuning: '{{> memory-backing shared=true}}',
    definitions: {
      home: { type: 'folder', access: 'write' },
      library: { type: 'folder', list: true },
    },
    values: { home: '/home/user/work', library: ['/srv/books', '/srv/old/books'] },
    devices: `{{> folders parameter="home" queue=1024}}\n{{> folders parameter="library" mode="squash"}}`,
  }),
  domain('shared-folders-read-only', {
    tuning: '{{> memory-backing shared=true}}',
    definitions: { library: { type: 'folder' } },
    values: { library: '/srv/books' },
    context: { host: { ...kvm, libvirtVersion: '11.3.0', qemuVersion: '10.0.0' } },
    devices: '{{> folders}}',
    needsHost: 'libvirt 11.0',
  }),
  domain('data-disks', {
    definitions: {
      data: { type: 'disk', format: 'qcow2', list: true },
      archive: { type: 'disk', access: 'read' },
      remote: { type: 'network-disk', list: true },
    },
    values: {
      data: ['/srv/data/one.qcow2', '/srv/data/two.qcow2'],
      archive: '/srv/data/archive.img',
      remote: ['nbd://127.0.0.1:10809/export', 'rbd://ceph.example.org/pool/image', 'https://example.org/disk.img'],
    },
    tuning: '{{> iothreads count=2}}',
    devices: `{{> disk-transient}}
      {{> scsi-controller iothread=2 queues=4}}
      {{> disks parameter="data" bus="scsi" rotation=1 discard="unmap" cache="writeback" io="io_uring" errors="stop"}}
      {{> disks parameter="archive" iothread=1}}
      {{> disks parameter="remote" transient=true}}`,
  }),
  domain('transient-shared', {
    devices: '{{> disk-transient shareBacking=true cache="none" io="threads"}}',
  }),
  domain('many-buses', {
    definitions: { sticks: { type: 'disk', list: true } },
    values: { sticks: ['/srv/stick.img'] },
    devices: `{{> disk-tuned bus="sata" rotation=7200 serial="SYSTEM" bootOrder=1}}
      {{> disks bus="usb"}}
      {{> usb model="ich9-ehci1"}}
      {{> serial}}
      {{> redirection}}
      {{> smartcard}}
      {{> graphics type="spice" listen="loopback" clipboard="yes" filetransfer="yes" compression="auto_glz"}}
      {{> video type="qxl" vramKib=65536 heads=2}}
      {{> sound model="ac97" backend="pipewire"}}`,
    os: '{{> os-bios boot="device" menu="yes" serial="yes"}}',
  }),
  domain('characters', {
    definitions: { port: { type: 'socket' }, forwarded: { type: 'socket' } },
    values: { port: '/run/example/port.sock', forwarded: '/run/example/service.sock' },
    devices: `{{> serial log="off" console=true}}
      {{> serial-file port=1}}
      {{> serial-socket path=params.port port=2}}
      {{> parallel}}
      {{> console-virtio port=1 log="on"}}
      {{> channel-agent agent="qemu"}}
      {{> channel-agent}}
      {{> channel-guestfwd address="10.0.2.1" port=4600 path=params.forwarded}}`,
  }),
  domain('inside', {
    devices: `{{> vsock}}
      {{> rng bytes=1048576 periodMs=500}}
      {{> watchdog model="itco" action="poweroff"}}
      {{> panic}}
      {{> iommu caching="on" iotlb="on"}}
      {{> shmem name="vmpkg-shared" sizeMib=8}}`,
    features: '{{> features ioapic="qemu" pmu="off" vmport="off" hap="on"}}',
    tuning: '{{> genid}}',
    clock: '{{> clock preset="tsc"}}\n{{> power reboot="destroy" crash="preserve" lockfailure="pause" sleep="yes"}}',
    cpu: '{{> cpu-tuned invtsc=true nested=true}}',
  }),
  domain('old-tpm', { devices: '{{> tpm model="tpm-tis" version="1.2"}}', needsHost: 'swtpm' }),
  domain('host-tpm', {
    definitions: { tpm: { type: 'device' } },
    values: { tpm: '/dev/tpm0' },
    devices: '{{> tpm-host device=params.tpm}}',
  }),
  domain('growing-memory', {
    tuning: '{{> max-memory maximumKib=8388608}}',
    context: {
      ...FOUR,
      placement: { ...twoNodes, cells: [{ id: 0, vcpus: [0, 1, 2, 3], memoryKib: 1_048_576 }] },
    },
    devices: `{{> memory-dimm sizeKib=524288}}
      {{> memory-dimm model="virtio-mem" sizeKib=524288 requestedKib=262144}}`,
  }),
  domain('named-cpu', {
    cpu: '{{> cpu-tuned mode="named" model="EPYC" vendor="AMD" cache="emulate"}}',
    features: '{{> features hyperv=true evmcs=true}}',
    devices: '{{> graphics type="dbus"}}\n{{> video type="virtio" width=1920 height=1080}}',
  }),
  domain('host-model-cpu', {
    cpu: '{{> cpu-tuned mode="host-model"}}',
    devices: '{{> graphics type="vnc" listen="loopback"}}\n{{> video type="virtio-gl"}}',
    clock: '{{> clock preset="localtime"}}\n{{> power}}',
  }),
  domain('tcg', {
    context: { ...qemu, ...FOUR, images: routerContext.images, placement: { ...twoNodes, cells: [] } },
    os: `{{> os-kernel cmdline="console=ttyS0 quiet"}}`,
    cpu: '{{> cpu-tuned hidden=true cache="passthrough"}}',
    features: '{{> features-windows hidden=true}}',
    clock: '{{> clock preset="windows"}}\n{{> power}}',
    tuning: '{{> cputune}}\n{{> numatune mode="preferred"}}',
    devices: '{{> headless-small}}',
    needsHost: 'eighteen CPUs',
  }),
  domain('router-small', {
    context: { ...routerContext, host: { ...routerContext.host, libvirtVersion: '9.0.0' } },
    os: `{{> os-kernel cmdline="root=/dev/vda ro console=ttyS0"}}`,
    clock: '{{> clock}}\n{{> power reboot="destroy"}}',
    cpu: '{{> cpu}}',
    devices: `{{> root-disk}}
      {{> medium}}
      {{> nics-tuned queues=2 mtu=1400 rom="off" inKib=10240 outKib=10240 filter="clean-traffic"}}
      {{> headless-small}}`,
  }),
  domain('cards', {
    definitions: {
      plain: { type: 'card', list: true },
      tunnel: { type: 'card', list: true },
      own: { type: 'card', list: true },
    },
    values: {
      plain: ['network:default', 'bridge:br0', 'direct:eth0'],
      tunnel: [
        'mcast:230.0.0.1:5558',
        'server:192.168.0.1:5558',
        'client:192.168.0.1:5558',
        'udp:127.0.0.1:11115:127.0.0.1:11116',
      ],
      own: ['user', 'passt:eth0'],
    },
    devices: `{{> cards parameter="plain" queues=4 rom="off"}}
      {{> cards parameter="tunnel" model="e1000"}}
      {{> cards parameter="own"}}`,
  }),
  domain('passt', {
    definitions: { net: { type: 'card' }, ports: { type: 'forward', list: true } },
    values: { net: 'passt:eth0', ports: ['8080:80', '0.0.0.0:5000-5010:6000-6010/udp'] },
    context: { host: { ...kvm, libvirtVersion: '11.3.0', qemuVersion: '10.0.0' } },
    devices: '{{> cards}}',
    needsHost: 'libvirt 9.2',
  }),
  domain('isolated-cards', {
    definitions: { lan: { type: 'card' } },
    values: { lan: 'bridge:br0' },
    devices: '{{> cards isolated="yes" model="e1000e"}}',
  }),
  domain('teaming', {
    definitions: { slow: { type: 'card' }, fast: { type: 'pci', class: 'network' } },
    values: { slow: 'network:default', fast: '0000:05:10.0' },
    pci: { fast: [pci('05', '0')] },
    devices: `{{> cards teaming=true alias="wan"}}\n{{> card-vf parameter="fast" teamingOf="wan"}}`,
  }),
  domain('qemu-user-network', {
    domain: ` xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'`,
    definitions: {
      ports: { type: 'forward', list: true },
      boot: { type: 'folder' },
      share: { type: 'folder' },
    },
    values: { ports: '2222:22', boot: '/srv/tftp', share: '/srv/share' },
    after: '{{> qemu-user-network tftp=params.boot bootfile="pxelinux.0" smb=params.share}}',
  }),
]

function network(
  name: string,
  body: string,
  definitions: Readonly<Record<string, Parameter>> = {},
  values: Readonly<Record<string, unknown>> = {},
  needsHost?: string,
): NetworkCase {
  const merged = mergeParameters(definitions, [{ origin: 'command line', values }])
  const params = Object.fromEntries(Object.entries(merged).map(([key, { value }]) => [key, value]))
  const context = { ...uplinkContext, params, ...chooseForNetwork({ definitions, values: params }) }
  const template = `<network>\n${body.trim().replace(/^ */gm, '  ')}\n</network>\n`
  return { name, template, context, ...(needsHost === undefined ? {} : { needsHost }) }
}

export const NETWORK_CASES: readonly NetworkCase[] = [
  network('network-isolated', `{{> network-identity mtu=1400 domain="lan.example"}}\n{{> network-dns enable="no"}}`),
  network(
    'network-nat',
    `{{> network-identity}}
      {{> network-forward mode="nat" portFirst=20000 portLast=30000}}
      {{> network-dns forwarders="servers" forwarderDomain="example.org" forwardPlainNames="no"}}
      {{> network-address leaseSeconds=3600}}`,
    {
      servers: { type: 'address', list: true },
      names: { type: 'host-name', list: true },
      fixed: { type: 'reservation', list: true },
    },
    {
      servers: ['192.0.2.53', '2001:db8::53'],
      names: 'printer.lan=192.168.251.9',
      fixed: ['52:54:00:aa:bb:cc=192.168.251.5=printer', '52:54:00:aa:bb:cd=192.168.251.6'],
    },
  ),
  network(
    'network-route',
    `{{> network-identity stp="on" delay=2}}
      {{> network-forward mode="route" device=params.way}}
      {{> network-address tftp=params.boot bootfile="pxelinux.0"}}
      {{> network-routes metric=2}}`,
    {
      way: { type: 'interface' },
      boot: { type: 'folder' },
      routes: { type: 'route', list: true },
    },
    { way: 'eth0', boot: '/srv/tftp', routes: ['10.9.0.0/16=192.168.251.2'] },
  ),
  network('network-open', `{{> network-identity}}\n{{> network-forward mode="open"}}\n{{> network-address}}`),
  network(
    'network-bridge',
    '{{> network-bridge bridge=params.bridge isolated="yes"}}',
    { bridge: { type: 'interface' } },
    { bridge: 'br0' },
  ),
  network(
    'network-pool',
    '{{> network-pool device=params.card}}',
    { card: { type: 'interface' } },
    { card: 'enp5s0f0' },
  ),
]
