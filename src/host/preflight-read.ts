/**
 * Reads the host's facts that a definition is compared with, and only those that it needs. Roots are parameters, so that
 * captured trees serve as tests.
 *
 * Source: proc_meminfo(5), proc_pid_net(5), Linux Documentation/ABI/testing/sysfs-{devices-system-cpu,bus-usb,bus-pci},
 * admin-guide/mm/hugetlbpage.rst, libvirt's bridge_driver.c (which looks at /proc/net/route, too).
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Processes } from '../ports.ts'
import type { FileUser } from './access-rights.ts'
import { listFolder, readAttribute, readLinkName } from './attribute.ts'
import { toIds } from './demand-values.ts'
import { listFirmware } from './emulator.ts'
import { listEntries } from './kernel-files.ts'
import { parseAvailableMemoryKib } from './preflight.ts'
import type { DomainDemand } from './preflight-demand.ts'
import type { HostFacts, Listener, PciFact } from './preflight-facts.ts'
import { readFileFacts } from './preflight-files.ts'
import { readHugepagePools } from './read-hugepages.ts'
import { SYSTEM_PATH } from './tools.ts'
import { readUsbDevices } from './usb-device.ts'

export interface ReadHostOptions {
  readonly sysfs?: string
  readonly proc?: string
  /** `net` of the network namespace that the daemon is in; `undefined` where that is not known. */
  readonly procNet: string | undefined
  readonly dev?: string
  readonly path?: string
  readonly firmwareFolder?: string
  /** As whom QEMU runs; `undefined` where that is not known. */
  readonly user: FileUser | undefined
  readonly changesOwners: boolean
  /** Files that have just been made by who asks: nobody else has them open. */
  readonly fresh?: readonly string[]
  /** For access lists, which are not seen without it. */
  readonly processes?: Processes
  /** Unprivileged daemons cannot raise the limit of locked memory. */
  readonly isPrivileged: boolean
}

export async function readHostFacts(demand: DomainDemand, options: ReadHostOptions): Promise<HostFacts> {
  const { sysfs = '/sys', proc = '/proc', dev = '/dev', path = SYSTEM_PATH, procNet } = options
  const text = async (file: string): Promise<string | undefined> => readFile(file, 'utf8').catch(() => undefined)
  const when = async <T>(isNeeded: boolean, read: () => Promise<T>): Promise<T | undefined> =>
    isNeeded ? read() : undefined
  const { hostdevs, shares, tpm, pins, hugepages, memoryNodes, nics, ports, renderNodes, firmware } = demand
  const contended = new Set(
    demand.disks.flatMap(({ file, isReadonly, isShareable }) => (isReadonly || isShareable ? [] : (file ?? []))),
  )
  for (const file of options.fresh ?? []) contended.delete(file)
  const [files, meminfo, pools, nodes, present, online, limits] = await Promise.all([
    readFileFacts(pathsOf(demand), options.user, {
      proc,
      processes: options.processes,
      mayBeLocked: (file) => contended.has(file),
    }),
    text(join(proc, 'meminfo')),
    when(hugepages.length > 0, async () => readHugepages(sysfs)),
    when(memoryNodes.length > 0, async () => toIds((await text(join(sysfs, 'devices/system/node/online'))) ?? '0')),
    when(pins.length > 0, () => text(join(sysfs, 'devices/system/cpu/present'))),
    when(pins.length > 0, () => text(join(sysfs, 'devices/system/cpu/online'))),
    when(!options.isPrivileged && hostdevs.length > 0, () => text(join(proc, 'self/limits'))),
  ])
  const defaultSize = /^Hugepagesize:\s+(\d+) kB$/m.exec(meminfo ?? '')?.[1]
  const [pci, usb, mdevs, nodesOfDri, networks, listeners, hasSwtpm, hasVirtiofsd, firmwares] = await Promise.all([
    when(
      hostdevs.some((one) => one.pci !== undefined),
      () =>
        readPci(
          sysfs,
          hostdevs.flatMap((one) => one.pci ?? []),
        ),
    ),
    when(
      hostdevs.some((one) => one.usb !== undefined),
      () => readUsbDevices(sysfs),
    ),
    when(
      hostdevs.some((one) => one.mdev !== undefined),
      () => readdir(join(sysfs, 'bus/mdev/devices')).catch(() => []),
    ),
    when(renderNodes.length > 0, async () =>
      (await readdir(join(dev, 'dri')).catch((): string[] => []))
        .filter((name) => name.startsWith('renderD'))
        .map((name) => `/dev/dri/${name}`),
    ),
    when(nics.length > 0, () => readHostNetworks(procNet)),
    when((ports.length > 0 || nics.some(({ forwards }) => forwards.length > 0)) && procNet !== undefined, () =>
      readListeners(procNet ?? ''),
    ),
    when(tpm?.type === 'emulator', () => isInPath('swtpm', path)),
    when(
      shares.some(({ isVirtiofs }) => isVirtiofs),
      () => hasVirtiofs(path),
    ),
    when(firmware === 'efi', () => listFirmware(options.firmwareFolder)),
  ])
  return {
    files,
    changesOwners: options.changesOwners,
    availableMemoryKib: parseAvailableMemoryKib(meminfo ?? ''),
    hugepages: pools,
    defaultHugepageKib: defaultSize === undefined ? undefined : Number(defaultSize),
    nodes,
    presentCpus: present === undefined ? undefined : toIds(present),
    onlineCpus: online === undefined ? undefined : toIds(online),
    memlockKib: limits === undefined ? undefined : parseMemlockKib(limits),
    pci,
    usb,
    mdevs,
    renderNodes: nodesOfDri,
    ...networks,
    listeners,
    hasSwtpm,
    hasVirtiofsd,
    firmwares,
  }
}

/** What a network's definition is compared with. */
export async function readHostNetworks(
  procNet: string | undefined,
): Promise<Pick<HostFacts, 'interfaces' | 'subnets'>> {
  if (procNet === undefined) return {}
  const [dev, route] = await Promise.all(
    ['dev', 'route'].map(async (name) => readFile(join(procNet, name), 'utf8').catch(() => '')),
  )
  return { interfaces: parseInterfaces(dev ?? ''), subnets: parseRoutes(route ?? '') }
}

function pathsOf(demand: DomainDemand): readonly string[] {
  const { disks, bootFiles, shares, inputs, loader, nvram, nvramTemplate, emulator, tpm, vsock, nics } = demand
  const stale = disks.flatMap(({ file, isTransient }) =>
    isTransient && file !== undefined ? [`${file}.TRANSIENT-${demand.name}`] : [],
  )
  const files = [...disks, ...bootFiles, ...inputs].map(({ file }) => file)
  const devices = [
    tpm?.type === 'passthrough' ? (tpm.device ?? '/dev/tpm0') : undefined,
    vsock === undefined ? undefined : '/dev/vhost-vsock',
    nics.length > 0 ? '/dev/net/tun' : undefined,
  ]
  return [
    ...files,
    ...stale,
    ...shares.map(({ folder }) => folder),
    loader,
    nvram,
    nvramTemplate,
    emulator,
    ...devices,
  ].filter((path) => path !== undefined && path.startsWith('/')) as string[]
}

function readHugepages(sysfs: string): NonNullable<HostFacts['hugepages']> {
  const nodes = listEntries(join(sysfs, 'devices/system/node')).flatMap((name) => {
    const id = /^node(\d+)$/.exec(name)?.[1]
    return id === undefined
      ? []
      : [{ id: Number(id), pools: readHugepagePools(join(sysfs, 'devices/system/node', name, 'hugepages')) }]
  })
  return new Map(
    readHugepagePools(join(sysfs, 'kernel/mm/hugepages')).map(({ sizeKib, free }) => {
      const byNode = nodes.flatMap(({ id, pools }) =>
        pools.filter((pool) => pool.sizeKib === sizeKib).map((pool) => [id, pool.free ?? 0] as const),
      )
      return [sizeKib, { free: free ?? 0, byNode: new Map(byNode) }]
    }),
  )
}

/** `unlimited` is endless. */
export function parseMemlockKib(limits: string): number | undefined {
  const soft = /^Max locked memory\s+(\S+)/m.exec(limits)?.[1]
  if (soft === undefined) return undefined
  return soft === 'unlimited' ? Number.POSITIVE_INFINITY : Math.floor(Number(soft) / 1_024)
}

/** Of each device and its mates only what is judged: a whole tree of PCI is long to read. */
async function readPci(sysfs: string, addresses: readonly string[]): Promise<ReadonlyMap<string, PciFact>> {
  const at = (address: string, file: string): string => join(sysfs, 'bus/pci/devices', address, file)
  const facts = new Map<string, PciFact>()
  for (const address of new Set(addresses)) {
    if ((await listFolder(at(address, '.'))).length === 0) continue
    const [driver, group] = [await readLinkName(at(address, 'driver')), await readLinkName(at(address, 'iommu_group'))]
    const mates: PciFact['mates'][number][] = []
    for (const mate of await listFolder(at(address, 'iommu_group/devices'))) {
      const isBridge = (await readAttribute(at(mate, 'class')))?.startsWith('0x06') === true
      if (mate !== address && !isBridge) mates.push({ address: mate, driver: await readLinkName(at(mate, 'driver')) })
    }
    facts.set(address, { driver, group: group === undefined ? undefined : Number(group), mates })
  }
  return facts
}

/** Names in a /proc/net/dev text. */
export function parseInterfaces(text: string): readonly string[] {
  return [...text.matchAll(/^\s*([^\s:]+):/gm)].map(([, name = '']) => name)
}

/** Networks in a /proc/net/route text (addresses are little-endian hexadecimal); the default route is none. */
export function parseRoutes(text: string): NonNullable<HostFacts['subnets']> {
  const octets = (hex: string): readonly number[] => [...Buffer.from(hex, 'hex')].toReversed()
  return [...text.matchAll(/^(\S+)\t([0-9A-F]{8})\t[0-9A-F]{8}\t(?:[^\t]*\t){4}([0-9A-F]{8})/gm)].flatMap(
    ([, name = '', destination = '', mask = '']) => {
      const prefix = octets(mask).reduce((bits, octet) => bits + octet.toString(2).replaceAll('0', '').length, 0)
      return prefix === 0 ? [] : [{ cidr: `${octets(destination).join('.')}/${prefix}`, interface: name }]
    },
  )
}

async function readListeners(procNet: string): Promise<readonly Listener[]> {
  const tables = ['tcp', 'tcp6', 'udp', 'udp6'].map(async (table) =>
    parseListeners(
      await readFile(join(procNet, table), 'utf8').catch(() => ''),
      table.startsWith('tcp') ? 'tcp' : 'udp',
    ),
  )
  return (await Promise.all(tables)).flat()
}

/** Sockets of a /proc/net/tcp or udp text that listen (state 0A, for udp 07: unconnected). */
export function parseListeners(text: string, protocol: 'tcp' | 'udp'): readonly Listener[] {
  const state = protocol === 'tcp' ? '0A' : '07'
  return [...text.matchAll(/^\s*\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} ([0-9A-F]{2})/gm)]
    .filter(([, , , own]) => own === state)
    .map(([, address = '', port = '']) => ({
      protocol,
      address: formatListenAddress(address),
      port: Number.parseInt(port, 16),
    }))
}

function formatListenAddress(hex: string): string {
  const words = hex.match(/.{8}/g) ?? []
  const octets = words.flatMap((word) => [...Buffer.from(word, 'hex')].toReversed())
  if (octets.length === 4) return octets.join('.')
  if (octets.every((octet) => octet === 0)) return '::'
  return octets.slice(0, 15).every((octet) => octet === 0) && octets[15] === 1
    ? '::1'
    : octets.map((octet) => octet.toString(16).padStart(2, '0')).join('')
}

async function isInPath(name: string, path: string): Promise<boolean> {
  const found = await Promise.all(path.split(':').map(async (folder) => readdir(folder).catch((): string[] => [])))
  return found.some((names) => names.includes(name))
}

/** Where libvirt finds it: the vhost-user descriptors, else the program itself. */
async function hasVirtiofs(path: string): Promise<boolean> {
  const folders = ['/usr/share/qemu/vhost-user', '/etc/qemu/vhost-user']
  const names = (await Promise.all(folders.map(async (folder) => readdir(folder).catch((): string[] => [])))).flat()
  return names.some((name) => name.includes('virtiofsd')) || isInPath('virtiofsd', `${path}:/usr/libexec:/usr/lib/qemu`)
}
