/**
 * What this host would lose with a PCI function: disks, swap, its network, its console.
 *
 * Source for the console: Linux Documentation/ABI/testing/sysfs-bus-pci (`boot_vga`), Documentation/fb/fbcon.rst.
 */
import { readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { listFolder, readAttribute } from './attribute.ts'
import { type BlockRoots, lastPciAddress, readBlockUses } from './block-pci.ts'
import { readNetworkCarriers } from './network-pci.ts'

export type PciHolder =
  /** `swap` instead of a mount point for swap areas. */
  | { readonly kind: 'mount'; readonly mountPoint: string; readonly source: string }
  | { readonly kind: 'default-route'; readonly interface: string }
  /** All network interfaces of the host hang on this one function. */
  | { readonly kind: 'only-nic'; readonly interface: string }
  | { readonly kind: 'console'; readonly framebuffers: readonly string[] }
  /** A domain has it as a hostdev. */
  | { readonly kind: 'domain'; readonly name: string; readonly isRunning: boolean }

/** By address. */
export type PciHolders = ReadonlyMap<string, readonly PciHolder[]>

export interface HeldDevices {
  readonly holders: PciHolders
  /** Physical network interfaces, and the PCI functions that carry each. */
  readonly interfaces: ReadonlyMap<string, readonly string[]>
}

/** All but domains, which libvirt knows. */
export async function readPciHolders(roots: BlockRoots): Promise<HeldDevices> {
  const holders = new Map<string, PciHolder[]>()
  const add = (address: string, holder: PciHolder): void => {
    holders.set(address, [...(holders.get(address) ?? []), holder])
  }
  const [uses, network, consoles] = await Promise.all([
    readBlockUses(roots),
    readNetworkCarriers(roots),
    readConsoles(roots.sysfs),
  ])
  for (const { mountPoint, source, pci } of uses) {
    for (const address of pci) add(address, { kind: 'mount', mountPoint, source })
  }
  for (const [name, pci] of network.defaultRoutes) {
    for (const address of pci) add(address, { kind: 'default-route', interface: name })
  }
  const carriers = new Set([...network.interfaces.values()].map((pci) => pci[0] ?? 'another bus'))
  if (carriers.size === 1) {
    for (const [name, [address]] of network.interfaces) {
      if (address !== undefined) add(address, { kind: 'only-nic', interface: name })
    }
  }
  for (const [address, framebuffers] of consoles) add(address, { kind: 'console', framebuffers })
  return { holders, interfaces: network.interfaces }
}

/** Functions that show the console: the firmware's choice, and those behind a frame buffer. */
async function readConsoles(sysfs: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const found = new Map<string, string[]>()
  const devices = join(sysfs, 'bus', 'pci', 'devices')
  for (const address of await listFolder(devices)) {
    if ((await readAttribute(join(devices, address, 'boot_vga'))) === '1') found.set(address, [])
  }
  for (const name of await listFolder(join(sysfs, 'class', 'graphics'))) {
    if (!/^fb\d+$/.test(name)) continue
    const link = await readlink(join(sysfs, 'class', 'graphics', name)).catch(() => '')
    const address = lastPciAddress(link)[0] ?? (link.includes('/platform/') ? [...found.keys()][0] : undefined)
    if (address !== undefined) found.set(address, [...(found.get(address) ?? []), name])
  }
  return found
}
