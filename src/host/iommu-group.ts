/**
 * When the kernel lets a guest have a device of an IOMMU group: no driver of the host may hold any device of it.
 *
 * Source: Linux 5.19 and later: drivers/iommu/iommu.c (`iommu_device_use_default_domain`): drivers that set
 * `driver_managed_dma` are not in the way, in tree those of vfio, pci-stub and pcieport; before:
 * drivers/vfio/vfio.c (`vfio_dev_driver_allowed`): pci-stub, and every function whose header type is not 0. A device
 * without a driver is in nobody's way. drivers/vfio/pci/vfio_pci_core.c refuses to take functions whose header type is
 * not 0, so bridges are never given to a guest.
 */
import { isAtLeast } from './kernel.ts'
import { isBridge, isHostBridge, type PciDevice } from './pci-device.ts'

const VFIO_DRIVER = /(^|[_-])vfio([_-]|$)/

export interface GroupBlocker {
  readonly address: string
  readonly driver: string
}

/** True for vfio-pci and for the drivers of vendors that take its place (mlx5_vfio_pci, nvgrace_gpu_vfio_pci, …). */
export function isVfioDriver(driver: string | undefined): boolean {
  return driver !== undefined && VFIO_DRIVER.test(driver)
}

/** Never bound to vfio-pci: bridges, and what belongs to the bus itself. */
export function isExempt(device: PciDevice): boolean {
  return isBridge(device) || isHostBridge(device)
}

/** The device stands in the way of its whole group. @param release of the kernel */
export function blocksGroup(device: PciDevice, release: string): boolean {
  const { driver } = device
  if (driver === undefined || driver === 'pci-stub' || isVfioDriver(driver)) return false
  return isAtLeast(release, '5.19') ? driver !== 'pcieport' : !isBridge(device)
}

/** Devices that keep the group from being viable as things stand. */
export function findBlockers(members: readonly PciDevice[], release: string): readonly GroupBlocker[] {
  return members.flatMap((device) =>
    blocksGroup(device, release) ? [{ address: device.address, driver: device.driver ?? '' }] : [],
  )
}
