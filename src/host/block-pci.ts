/**
 * From what is mounted or swapped to, down through device-mapper, md and partitions, to the PCI functions that carry it.
 *
 * Source: proc_pid_mountinfo(5), proc_swaps(5); Linux Documentation/ABI/stable/sysfs-block (`slaves`), `dm/name`;
 * NVMe multipath puts the namespaces below a virtual nvme-subsystem whose controllers are links beside them.
 */
import { readFile, readlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { findPciAddress } from '../model/pci.ts'
import { listFolder, readAttribute, readLinkName } from './attribute.ts'

/** A file system or swap area, and where it comes from. */
export interface BlockUse {
  /** `/`, `/home`; `swap` for swap areas. */
  readonly mountPoint: string
  /** As the kernel names the source: `/dev/mapper/vg-root`. */
  readonly source: string
  /** PCI functions that carry it; none for network file systems and for disks that hang on no PCI device. */
  readonly pci: readonly string[]
}

export interface BlockRoots {
  readonly sysfs: string
  readonly procfs: string
  /** `/dev`, for links such as `/dev/mapper/NAME`. */
  readonly dev: string
}

interface Mount {
  readonly mountPoint: string
  readonly source: string
  /** `8:1`; absent in /proc/mounts. */
  readonly number?: string
  readonly type: string
}

/** Everything that is mounted from a block device or swapped to. */
export async function readBlockUses(roots: BlockRoots): Promise<readonly BlockUse[]> {
  const mounts = [...(await readMounts(roots.procfs)), ...(await readSwaps(roots.procfs))]
  const dmNames = await readDeviceMapperNames(roots.sysfs)
  const known = new Map<string, Promise<readonly string[]>>()
  const uses = await Promise.all(
    mounts.map(async ({ mountPoint, source, number, type }) => {
      const key = `${source} ${number ?? ''}`
      const pci =
        known.get(key) ?? (type === 'zfs' ? carriersOfZfs(roots) : carriersOfMount(roots, dmNames, { source, number }))
      known.set(key, pci)
      return { mountPoint, source, pci: await pci }
    }),
  )
  return uses.filter(({ pci }) => pci.length > 0)
}

async function readMounts(procfs: string): Promise<readonly Mount[]> {
  const info = await readFile(join(procfs, 'self', 'mountinfo'), 'utf8').catch(() => '')
  if (info !== '') return info.split('\n').flatMap(parseMountinfo)
  const mounts = await readFile(join(procfs, 'mounts'), 'utf8').catch(() => '')
  return mounts.split('\n').flatMap((line) => {
    const [source = '', mountPoint, type = ''] = line.split(' ')
    return mountPoint === undefined ? [] : [{ source: unescape(source), mountPoint: unescape(mountPoint), type }]
  })
}

function parseMountinfo(line: string): Mount[] {
  const [left = '', right = ''] = line.split(' - ')
  const [, , number, , mountPoint] = left.split(' ')
  const [type = '', source = ''] = right.split(' ')
  if (mountPoint === undefined || number === undefined) return []
  return [{ mountPoint: unescape(mountPoint), source: unescape(source), number, type }]
}

/** Blanks and the like are written as `\040`. */
function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}

async function readSwaps(procfs: string): Promise<readonly Mount[]> {
  const text = await readFile(join(procfs, 'swaps'), 'utf8').catch(() => '')
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [source = '', type] = line.split(/\s+/)
      // A swap file lies on a file system that is mounted, and counted there.
      return type === 'partition' ? [{ source: unescape(source), mountPoint: 'swap', type: 'swap' }] : []
    })
}

/** `/sys/block/dm-0/dm/name` by name. */
async function readDeviceMapperNames(sysfs: string): Promise<ReadonlyMap<string, string>> {
  const devices = (await listFolder(join(sysfs, 'block'))).filter((name) => name.startsWith('dm-'))
  const pairs = await Promise.all(
    devices.map(
      async (device) => [(await readAttribute(join(sysfs, 'block', device, 'dm', 'name'))) ?? '', device] as const,
    ),
  )
  return new Map(pairs)
}

async function carriersOfMount(
  roots: BlockRoots,
  dmNames: ReadonlyMap<string, string>,
  { source, number }: { readonly source: string; readonly number: string | undefined },
): Promise<readonly string[]> {
  const names = new Set<string>()
  if (source.startsWith('/dev/')) {
    const name = source.slice('/dev/'.length)
    const mapped = name.startsWith('mapper/') ? dmNames.get(name.slice('mapper/'.length)) : undefined
    names.add(mapped ?? (await readLinkName(join(roots.dev, name))) ?? basename(name))
  }
  // The root may be called /dev/root, and a bind mount by anything.
  if (number !== undefined) {
    const device = await readLinkName(join(roots.sysfs, 'dev', 'block', number))
    if (device !== undefined) names.add(device)
  }
  const found = await Promise.all([...names].map(async (name) => carriersOfBlock(roots.sysfs, name)))
  return [...new Set(found.flat())]
}

/** PCI functions below a block device: its own, and those of all devices it is made from. */
async function carriersOfBlock(sysfs: string, name: string, above: readonly string[] = []): Promise<readonly string[]> {
  if (above.includes(name)) return []
  const folder = join(sysfs, 'class', 'block', name)
  const link =
    (await readlink(folder).catch(() => undefined)) ?? (await readlink(join(sysfs, 'block', name)).catch(() => ''))
  const slaves = [
    ...(await listFolder(join(folder, 'slaves'))),
    ...(await listFolder(join(sysfs, 'block', name, 'slaves'))),
  ]
  // A partition of a mapped disk has no slaves of its own, the disk has.
  const disk = /\/block\/([^/]+)\/[^/]+$/.exec(link)?.[1]
  const below = [...new Set([...slaves, ...(disk === undefined ? [] : [disk])])]
  const deeper = await Promise.all(below.map(async (slave) => carriersOfBlock(sysfs, slave, [...above, name])))
  return [...new Set([...lastPciAddress(link), ...(await carriersOfNvmeSubsystem(sysfs, link)), ...deeper.flat()])]
}

/** With multipath the namespace hangs on a virtual subsystem; its controllers are links in there. */
async function carriersOfNvmeSubsystem(sysfs: string, link: string): Promise<readonly string[]> {
  const subsystem = /devices\/virtual\/nvme-subsystem\/[^/]+/.exec(link)?.[0]
  if (subsystem === undefined) return []
  const folder = join(sysfs, subsystem)
  const controllers = (await listFolder(folder)).filter((name) => /^nvme\d+$/.test(name))
  const links = await Promise.all(controllers.map(async (name) => readlink(join(folder, name)).catch(() => '')))
  return links.flatMap(lastPciAddress)
}

/** The pool names no disks: every disk controller whose disks nothing else explains may carry it. */
async function carriersOfZfs({ sysfs }: BlockRoots): Promise<readonly string[]> {
  const names = await listFolder(join(sysfs, 'block'))
  const found = await Promise.all(names.map(async (name) => carriersOfBlock(sysfs, name)))
  return [...new Set(found.flat())]
}

/** The function nearest to the device in a path of sysfs. */
export function lastPciAddress(path: string): string[] {
  const address = path.split('/').findLast((part) => findPciAddress(part) !== undefined)
  return address === undefined ? [] : [address]
}
