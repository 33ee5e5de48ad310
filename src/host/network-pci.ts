/**
 * Which PCI functions carry the host's network: by interface, and those the default routes leave through, down through
 * bridges, bonds and VLANs.
 *
 * Source: Linux fib_trie and ipv6_route formats in /proc/net; Documentation/ABI/testing/sysfs-class-net (`lower_*`).
 */
import { readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { listFolder } from './attribute.ts'
import { lastPciAddress } from './block-pci.ts'

export interface NetworkCarriers {
  /** Physical interfaces by name; the PCI functions that carry each (one; none for USB NICs counts as another way). */
  readonly interfaces: ReadonlyMap<string, readonly string[]>
  /** Interfaces of default routes, and the PCI functions below them. */
  readonly defaultRoutes: ReadonlyMap<string, readonly string[]>
}

export async function readNetworkCarriers(roots: {
  readonly sysfs: string
  readonly procfs: string
}): Promise<NetworkCarriers> {
  const folder = join(roots.sysfs, 'class', 'net')
  const names = await listFolder(folder)
  const physical = await Promise.all(
    names.map(async (name) => {
      const link = await readlink(join(folder, name)).catch(() => '')
      return link.includes('/virtual/') || link === '' ? undefined : ([name, lastPciAddress(link)] as const)
    }),
  )
  const interfaces = new Map(physical.filter((pair) => pair !== undefined))
  const routes = await Promise.all(
    [...(await readDefaultInterfaces(roots.procfs))].map(
      async (name) => [name, await carriersOf(folder, name, interfaces)] as const,
    ),
  )
  return { interfaces, defaultRoutes: new Map(routes) }
}

async function readDefaultInterfaces(procfs: string): Promise<ReadonlySet<string>> {
  const [v4, v6] = await Promise.all(
    ['route', 'ipv6_route'].map(async (file) => readFile(join(procfs, 'net', file), 'utf8').catch(() => '')),
  )
  const found = new Set<string>()
  for (const line of (v4 ?? '').split('\n').slice(1)) {
    const [name = '', destination, , , , , , mask] = line.trim().split(/\s+/)
    if (destination === '00000000' && mask === '00000000') found.add(name)
  }
  for (const line of (v6 ?? '').split('\n')) {
    const [destination = '', length, ...rest] = line.trim().split(/\s+/)
    const name = rest.at(-1)
    if (/^0{32}$/.test(destination) && length === '00' && name !== undefined && name !== 'lo') found.add(name)
  }
  return found
}

async function carriersOf(
  folder: string,
  name: string,
  interfaces: ReadonlyMap<string, readonly string[]>,
  above: readonly string[] = [],
): Promise<readonly string[]> {
  if (above.includes(name)) return []
  const own = interfaces.get(name) ?? []
  const entries = await listFolder(join(folder, name))
  const lower = entries.filter((entry) => entry.startsWith('lower_')).map((entry) => entry.slice('lower_'.length))
  const deeper = await Promise.all(lower.map(async (below) => carriersOf(folder, below, interfaces, [...above, name])))
  return [...new Set([...own, ...deeper.flat()])]
}
