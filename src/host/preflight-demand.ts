/**
 * What a domain's definition asks of the host, read from its XML: only what preflight judges. Pure.
 *
 * Source: libvirt's formatdomain.rst. Names of elements are compared as libvirt writes them, without a prefix.
 */
import { childElements, findElement, findElements, getAttribute, getText } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import type { XmlElement } from '../xml/tree.ts'

export interface DiskDemand {
  /** `disk vda`. */
  readonly path: string
  readonly type: string
  readonly device: string
  readonly file: string | undefined
  readonly format: string | undefined
  readonly bus: string | undefined
  readonly target: string
  readonly isReadonly: boolean
  readonly isShareable: boolean
  readonly isTransient: boolean
  readonly sharesBacking: boolean
  /** A medium that may be absent: startupPolicy. */
  readonly isOptional: boolean
  /** The definition names the chain itself, so libvirt does not read it. */
  readonly hasBackingStore: boolean
}

interface NicDemand {
  readonly path: string
  readonly type: string
  readonly mac: string | undefined
  readonly network: string | undefined
  readonly bridge: string | undefined
  /** Interface of a direct card. */
  readonly device: string | undefined
  readonly backend: string | undefined
  readonly forwards: readonly PortDemand[]
}

export interface PortDemand {
  readonly path: string
  readonly protocol: 'tcp' | 'udp'
  readonly address: string | undefined
  readonly port: number
}

export interface HostdevDemand {
  readonly path: string
  readonly pci: string | undefined
  readonly usb: UsbDemand | undefined
  readonly mdev: string | undefined
  /** libvirt binds vfio-pci itself. */
  readonly isManaged: boolean
  readonly isOptional: boolean
}

interface UsbDemand {
  readonly vendor: string | undefined
  readonly product: string | undefined
  readonly bus: number | undefined
  readonly device: number | undefined
}

/** What one guest cell, or a guest without cells, takes of huge pages. */
export interface HugepageDemand {
  /** The host's default without it. */
  readonly sizeKib: number | undefined
  readonly memoryKib: number
  /** Host nodes that alone may give them; empty: any. */
  readonly hostNodes: readonly number[]
}

export interface DomainDemand {
  readonly name: string
  readonly uuid: string | undefined
  readonly virtType: string
  readonly arch: string | undefined
  readonly machine: string | undefined
  readonly emulator: string | undefined
  readonly memoryKib: number
  /** Maximum. */
  readonly vcpus: number
  readonly hugepages: readonly HugepageDemand[]
  readonly memoryNodes: readonly number[]
  readonly hasSharedMemory: boolean
  readonly pins: readonly { readonly path: string; readonly cpus: readonly number[] }[]
  readonly cpuMode: string | undefined
  readonly cpuModel: string | undefined
  readonly forbidsCpuFallback: boolean
  readonly firmware: string | undefined
  readonly loader: string | undefined
  readonly wantsSecureBoot: boolean
  readonly hasSmm: boolean
  readonly nvram: string | undefined
  readonly nvramTemplate: string | undefined
  readonly bootFiles: readonly { readonly path: string; readonly file: string }[]
  readonly disks: readonly DiskDemand[]
  readonly nics: readonly NicDemand[]
  readonly hostdevs: readonly HostdevDemand[]
  readonly ports: readonly PortDemand[]
  readonly renderNodes: readonly { readonly path: string; readonly node: string | undefined }[]
  readonly inputs: readonly { readonly path: string; readonly file: string }[]
  readonly tpm: { readonly type: string; readonly device: string | undefined } | undefined
  readonly shares: readonly {
    readonly path: string
    readonly folder: string
    readonly isVirtiofs: boolean
    readonly binary: string | undefined
  }[]
  readonly vsock: { readonly cid: number | undefined } | undefined
  /** `PCI 0000:00:05.0` and the like, with the devices that have it. */
  readonly addresses: readonly { readonly path: string; readonly address: string }[]
}

/** `undefined` for a document that is no domain. */
export function parseDomainDemand(xml: string): DomainDemand | undefined {
  const { root } = parseXml(xml)
  if (root.name !== 'domain') return undefined
  const at = (path: string): XmlElement | undefined => findElement(root, path)
  const text = (path: string): string | undefined => textOf(at(path))
  const loader = at('os/loader')
  const tpm = at('devices/tpm/backend')
  const cid = at('devices/vsock/cid')
  const memory = at('memory')
  return {
    name: text('name') ?? '',
    uuid: text('uuid'),
    virtType: attribute(root, 'type') ?? 'qemu',
    arch: attribute(at('os/type'), 'arch'),
    machine: attribute(at('os/type'), 'machine'),
    emulator: text('devices/emulator'),
    memoryKib: memory === undefined ? 0 : toKib(memory),
    vcpus: Number(text('vcpu') ?? 1),
    hugepages: readHugepages(root),
    memoryNodes: parseIdList(attribute(at('numatune/memory'), 'nodeset') ?? '').concat(
      findElements(root, 'numatune/memnode').flatMap((node) => parseIdList(attribute(node, 'nodeset') ?? '')),
    ),
    hasSharedMemory:
      attribute(at('memoryBacking/access'), 'mode') === 'shared' ||
      findElements(root, 'cpu/numa/cell').some((cell) => attribute(cell, 'memAccess') === 'shared'),
    pins: readPins(root),
    cpuMode: attribute(at('cpu'), 'mode') ?? (at('cpu/model') === undefined ? undefined : 'custom'),
    cpuModel: text('cpu/model'),
    forbidsCpuFallback: attribute(at('cpu/model'), 'fallback') === 'forbid' || attribute(at('cpu'), 'check') === 'full',
    firmware: attribute(at('os'), 'firmware'),
    loader: textOf(loader),
    wantsSecureBoot:
      attribute(loader, 'secure') === 'yes' ||
      findElements(root, 'os/firmware/feature').some(
        (feature) => attribute(feature, 'name') === 'secure-boot' && attribute(feature, 'enabled') === 'yes',
      ),
    hasSmm: at('features/smm') !== undefined && attribute(at('features/smm'), 'state') !== 'off',
    nvram: text('os/nvram'),
    nvramTemplate: attribute(at('os/nvram'), 'template'),
    bootFiles: ['kernel', 'initrd', 'dtb'].flatMap((name) => {
      const file = text(`os/${name}`)
      return file === undefined ? [] : [{ path: name, file }]
    }),
    disks: findElements(root, 'devices/disk').map(readDisk),
    nics: findElements(root, 'devices/interface').map(readNic),
    hostdevs: [
      ...findElements(root, 'devices/hostdev'),
      ...findElements(root, "devices/interface[@type='hostdev']"),
    ].map(readHostdev),
    ports: findElements(root, 'devices/graphics').flatMap(readGraphicsPorts),
    renderNodes: [
      ...findElements(root, 'devices/graphics/gl').filter((gl) => attribute(gl, 'enable') !== 'no'),
      ...findElements(root, "devices/graphics[@type='egl-headless']"),
    ].map((gl) => ({ path: 'graphics', node: attribute(gl, 'rendernode') })),
    inputs: findElements(root, 'devices/input/source').flatMap((source) => {
      const file = attribute(source, 'dev') ?? attribute(source, 'evdev')
      return file === undefined ? [] : [{ path: 'input', file }]
    }),
    tpm:
      tpm === undefined
        ? undefined
        : { type: attribute(tpm, 'type') ?? '', device: attribute(findElement(tpm, 'device'), 'path') },
    shares: findElements(root, 'devices/filesystem').flatMap(readShare),
    vsock:
      at('devices/vsock') === undefined
        ? undefined
        : { cid: attribute(cid, 'auto') === 'yes' ? undefined : toNumber(attribute(cid, 'address')) },
    addresses: readAddresses(root),
  }
}

/** Processors or nodes in libvirt's list form: `0-3,^2,8`. */
export function parseIdList(text: string): readonly number[] {
  const ids = new Set<number>()
  for (const part of text.split(',')) {
    const match = /^\s*(\^?)(\d{1,6})(?:-(\d{1,6}))?\s*$/.exec(part)
    if (match === null) continue
    const first = Number(match[2])
    const last = Math.min(Number(match[3] ?? first), first + 65_536)
    for (let id = first; id <= last; id++)
      if (match[1] === '^') ids.delete(id)
      else ids.add(id)
  }
  return [...ids]
}

function attribute(element: XmlElement | undefined, name: string): string | undefined {
  return element === undefined ? undefined : getAttribute(element, name)
}

function textOf(element: XmlElement | undefined): string | undefined {
  const text = element === undefined ? '' : getText(element).trim()
  return text === '' ? undefined : text
}

function toNumber(text: string | undefined): number | undefined {
  return text === undefined || !/^(?:0x[0-9a-f]+|\d+)$/i.test(text) ? undefined : Number(text)
}

const UNITS: Readonly<Record<string, number>> = {
  b: 1 / 1024,
  bytes: 1 / 1024,
  kb: 1000 / 1024,
  k: 1,
  kib: 1,
  mb: 1e6 / 1024,
  m: 1024,
  mib: 1024,
  gb: 1e9 / 1024,
  g: 1024 ** 2,
  gib: 1024 ** 2,
  tb: 1e12 / 1024,
  t: 1024 ** 3,
  tib: 1024 ** 3,
}

/** The unit is KiB where none is written. */
function toKib(element: XmlElement, name = 'unit', value = getText(element)): number {
  return Math.ceil(Number(value) * (UNITS[(getAttribute(element, name) ?? 'KiB').toLowerCase()] ?? 1))
}

/** A page without nodeset is for all cells that no other names. Source: formatdomain.rst, memoryBacking and numatune. */
function readHugepages(root: XmlElement): readonly HugepageDemand[] {
  if (findElement(root, 'memoryBacking/hugepages') === undefined) return []
  const pages = findElements(root, 'memoryBacking/hugepages/page').map((page) => ({
    sizeKib: toKib(page, 'unit', attribute(page, 'size') ?? ''),
    cells: parseIdList(attribute(page, 'nodeset') ?? ''),
  }))
  const memory = findElement(root, 'memory')
  const cells = findElements(root, 'cpu/numa/cell').map((cell, index) => ({
    id: Number(attribute(cell, 'id') ?? index),
    memoryKib: toKib(cell, 'unit', attribute(cell, 'memory') ?? ''),
  }))
  const whole = [{ id: 0, memoryKib: memory === undefined ? 0 : toKib(memory) }]
  return (cells.length > 0 ? cells : whole).flatMap(({ id, memoryKib }) => {
    const page = pages.find((one) => one.cells.includes(id)) ?? pages.find((one) => one.cells.length === 0)
    if (page === undefined && pages.length > 0) return []
    return [{ sizeKib: page?.sizeKib, memoryKib, hostNodes: findHostNodes(root, id) }]
  })
}

function findHostNodes(root: XmlElement, cell: number): readonly number[] {
  const own = findElements(root, 'numatune/memnode').find((node) => Number(attribute(node, 'cellid')) === cell)
  const tune = own ?? findElement(root, 'numatune/memory')
  // Preferred nodes are left for others where they have too little.
  return attribute(tune, 'mode') === 'preferred' ? [] : parseIdList(attribute(tune, 'nodeset') ?? '')
}

function readPins(root: XmlElement): DomainDemand['pins'] {
  const sources: readonly (readonly [path: string, name: (element: XmlElement) => string])[] = [
    ['vcpu', () => 'vcpu'],
    ['cputune/vcpupin', (pin) => `vcpupin ${attribute(pin, 'vcpu') ?? ''}`],
    ['cputune/emulatorpin', () => 'emulatorpin'],
    ['cputune/iothreadpin', (pin) => `iothreadpin ${attribute(pin, 'iothread') ?? ''}`],
  ]
  return sources.flatMap(([path, name]) =>
    findElements(root, path).flatMap((pin) => {
      const set = attribute(pin, 'cpuset')
      return set === undefined ? [] : [{ path: name(pin), cpus: parseIdList(set) }]
    }),
  )
}

function readDisk(disk: XmlElement): DiskDemand {
  const target = attribute(findElement(disk, 'target'), 'dev') ?? ''
  const source = findElement(disk, 'source')
  const device = attribute(disk, 'device') ?? 'disk'
  const transient = findElement(disk, 'transient')
  return {
    path: `disk ${target}`,
    type: attribute(disk, 'type') ?? 'file',
    device,
    file: attribute(source, 'file') ?? attribute(source, 'dev'),
    format: attribute(findElement(disk, 'driver'), 'type'),
    bus: attribute(findElement(disk, 'target'), 'bus'),
    target,
    isReadonly: device === 'cdrom' || findElement(disk, 'readonly') !== undefined,
    isShareable: findElement(disk, 'shareable') !== undefined,
    isTransient: transient !== undefined,
    sharesBacking: attribute(transient, 'shareBacking') === 'yes',
    isOptional: ['optional', 'requisite'].includes(attribute(source, 'startupPolicy') ?? ''),
    hasBackingStore: findElement(disk, 'backingStore') !== undefined,
  }
}

function readNic(nic: XmlElement): NicDemand {
  const mac = attribute(findElement(nic, 'mac'), 'address')?.toLowerCase()
  const source = findElement(nic, 'source')
  const path = `interface ${mac ?? attribute(source, 'network') ?? attribute(source, 'bridge') ?? ''}`.trim()
  return {
    path,
    type: attribute(nic, 'type') ?? '',
    mac,
    network: attribute(source, 'network'),
    bridge: attribute(source, 'bridge'),
    device: attribute(source, 'dev'),
    backend: attribute(findElement(nic, 'backend'), 'type'),
    forwards: findElements(nic, 'portForward').flatMap((forward) =>
      findElements(forward, 'range').flatMap((range) => {
        const first = toNumber(attribute(range, 'start'))
        if (first === undefined || attribute(range, 'exclude') === 'yes') return []
        const last = Math.min(toNumber(attribute(range, 'end')) ?? first, first + 1024)
        const protocol = attribute(forward, 'proto') === 'udp' ? ('udp' as const) : ('tcp' as const)
        const address = attribute(forward, 'address')
        return Array.from({ length: last - first + 1 }, (_, index) => ({
          path,
          protocol,
          address,
          port: first + index,
        }))
      }),
    ),
  }
}

function readHostdev(hostdev: XmlElement): HostdevDemand {
  const source = findElement(hostdev, 'source')
  const address = source === undefined ? undefined : findElement(source, 'address')
  const type = attribute(hostdev, 'type')
  const pci = (type === 'pci' || hostdev.name === 'interface') && address !== undefined ? formatPci(address) : undefined
  const id = (name: string): string | undefined =>
    attribute(source && findElement(source, name), 'id')
      ?.replace(/^0x/, '')
      .toLowerCase()
      .padStart(4, '0')
  const usb =
    type !== 'usb'
      ? undefined
      : {
          vendor: id('vendor'),
          product: id('product'),
          bus: toNumber(attribute(address, 'bus')),
          device: toNumber(attribute(address, 'device')),
        }
  const mdev = type === 'mdev' ? attribute(address, 'uuid')?.toLowerCase() : undefined
  return {
    path: `hostdev ${pci ?? mdev ?? (usb === undefined ? '' : `${usb.vendor ?? usb.bus}:${usb.product ?? usb.device}`)}`.trim(),
    pci,
    usb,
    mdev,
    isManaged: attribute(hostdev, 'managed') === 'yes',
    isOptional: attribute(source, 'startupPolicy') === 'optional',
  }
}

/** `0000:01:00.0` of an address whose parts are hexadecimal. */
function formatPci(address: XmlElement): string {
  const part = (name: string, digits: number): string =>
    (toNumber(attribute(address, name)) ?? 0).toString(16).padStart(digits, '0')
  return `${part('domain', 4)}:${part('bus', 2)}:${part('slot', 2)}.${part('function', 1)}`
}

function readGraphicsPorts(graphics: XmlElement): readonly PortDemand[] {
  if (attribute(graphics, 'autoport') === 'yes') return []
  const listen = findElement(graphics, 'listen')
  if (['socket', 'none'].includes(attribute(listen, 'type') ?? '') || attribute(graphics, 'socket') !== undefined)
    return []
  const type = attribute(graphics, 'type') ?? ''
  const address = attribute(listen, 'address') ?? attribute(graphics, 'listen')
  return ['port', 'tlsPort', 'websocket'].flatMap((name) => {
    const port = toNumber(attribute(graphics, name))
    return port === undefined || port <= 0
      ? []
      : [{ path: `graphics ${type}`, protocol: 'tcp' as const, address, port }]
  })
}

function readShare(filesystem: XmlElement): DomainDemand['shares'] {
  const folder = attribute(findElement(filesystem, 'source'), 'dir')
  if (folder === undefined) return []
  const isVirtiofs = attribute(findElement(filesystem, 'driver'), 'type') === 'virtiofs'
  return [
    { path: `filesystem ${folder}`, folder, isVirtiofs, binary: attribute(findElement(filesystem, 'binary'), 'path') },
  ]
}

function readAddresses(root: XmlElement): DomainDemand['addresses'] {
  const devices = findElement(root, 'devices')
  if (devices === undefined) return []
  return childElements(devices).flatMap((device) => {
    const address = childElements(device).find(({ name }) => name === 'address')
    if (address === undefined) return []
    const type = getAttribute(address, 'type')
    const path = describeDevice(device)
    if (type === 'pci') return [{ path, address: `PCI ${formatPci(address)}` }]
    if (type !== 'drive') return []
    const bus = attribute(findElement(device, 'target'), 'bus') ?? ''
    const parts = ['controller', 'bus', 'target', 'unit'].map((name) => attribute(address, name) ?? '0')
    return [{ path, address: `${bus} ${parts.join(':')}` }]
  })
}

function describeDevice(device: XmlElement): string {
  const target = findElement(device, 'target')
  const name =
    attribute(target, 'dev') ?? attribute(findElement(device, 'mac'), 'address') ?? attribute(device, 'index') ?? ''
  return `${device.name} ${attribute(device, 'type') ?? ''} ${name}`.replaceAll(/ +/g, ' ').trim()
}
