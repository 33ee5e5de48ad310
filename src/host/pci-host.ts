/** Everything that is to be known before a PCI device is given away, read from this host or from a tree like it. */
import { join } from 'node:path'
import { type IommuFacts, readIommu } from './iommu.ts'
import { type KernelFacts, readKernel } from './kernel.ts'
import { type PciDevice, readPciDevices } from './pci-device.ts'
import { type PciHolder, type PciHolders, readPciHolders } from './pci-holders.ts'
import { nameDevice, type PciNames, readPciNames } from './pci-names.ts'

export interface PciHost {
  readonly devices: readonly PciDevice[]
  readonly holders: PciHolders
  /** Physical network interfaces, and the PCI functions that carry each. */
  readonly interfaces: ReadonlyMap<string, readonly string[]>
  readonly iommu: IommuFacts
  readonly kernel: Pick<KernelFacts, 'release' | 'builtinModules' | 'availableModules'>
  readonly names: PciNames
}

/** Folders of a host below the root of its file tree. */
export function hostRoots(target: string): {
  readonly sysfs: string
  readonly procfs: string
  readonly dev: string
  readonly target: string
} {
  return { sysfs: join(target, 'sys'), procfs: join(target, 'proc'), dev: join(target, 'dev'), target }
}

/** @param target root of the file tree, `/` for this host */
export async function readPciHost(target = '/'): Promise<PciHost> {
  const roots = hostRoots(target)
  const [devices, held, iommu, kernel, names] = await Promise.all([
    readPciDevices(roots.sysfs),
    readPciHolders(roots),
    readIommu(roots),
    readKernel(roots),
    readPciNames(target),
  ])
  return { devices: devices.map((device) => nameDevice(device, names)), ...held, iommu, kernel, names }
}

/** What domains have as hostdevs, added to what the host itself holds. */
export function addDomains(
  host: PciHost,
  domains: readonly { readonly name: string; readonly isRunning: boolean; readonly pci: readonly string[] }[],
): PciHost {
  const holders = new Map<string, readonly PciHolder[]>(host.holders)
  for (const { name, isRunning, pci } of domains) {
    for (const address of pci) {
      holders.set(address, [...(holders.get(address) ?? []), { kind: 'domain', name, isRunning }])
    }
  }
  return { ...host, holders }
}
