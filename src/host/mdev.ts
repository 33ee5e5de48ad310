/**
 * Mediated devices: which kinds a PCI function can be split into, and those that exist.
 *
 * Source: Linux Documentation/driver-api/vfio-mediated-device.rst (mdev_supported_types, /sys/bus/mdev/devices).
 */
import { readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { listFolder, readAttribute, readLinkName, readNumber } from './attribute.ts'
import { lastPciAddress } from './block-pci.ts'

export interface MdevType {
  /** PCI function or other device that offers it. */
  readonly parent: string
  /** `i915-GVTg_V5_4` */
  readonly id: string
  readonly name?: string
  /** `vfio-pci`, `vfio-ap`, `vfio-ccw` */
  readonly deviceApi: string
  readonly availableInstances: number
  readonly description?: string
}

export interface MdevInstance {
  readonly uuid: string
  readonly type: string
  readonly parent?: string
  readonly iommuGroup?: number
}

export async function readMdevTypes(sysfs = '/sys'): Promise<readonly MdevType[]> {
  const folder = join(sysfs, 'class', 'mdev_bus')
  const found: MdevType[] = []
  for (const parent of await listFolder(folder)) {
    const types = join(folder, parent, 'mdev_supported_types')
    for (const id of await listFolder(types)) {
      const at = (file: string): string => join(types, id, file)
      const [name, deviceApi, availableInstances, description] = await Promise.all([
        readAttribute(at('name')),
        readAttribute(at('device_api')),
        readNumber(at('available_instances')),
        readAttribute(at('description')),
      ])
      found.push({
        parent,
        id,
        ...(name !== undefined && { name }),
        deviceApi: deviceApi ?? 'vfio-pci',
        availableInstances: availableInstances ?? 0,
        ...(description !== undefined && { description: description.replaceAll('\n', ', ') }),
      })
    }
  }
  return found
}

export async function readMdevInstances(sysfs = '/sys'): Promise<readonly MdevInstance[]> {
  const folder = join(sysfs, 'bus', 'mdev', 'devices')
  const uuids = await listFolder(folder)
  return Promise.all(
    uuids.map(async (uuid) => {
      const [type, group, link] = await Promise.all([
        readLinkName(join(folder, uuid, 'mdev_type')),
        readLinkName(join(folder, uuid, 'iommu_group')),
        readlink(join(folder, uuid)).catch(() => ''),
      ])
      const parent = lastPciAddress(link)[0]
      return {
        uuid,
        type: type ?? 'unknown',
        ...(parent !== undefined && { parent }),
        ...(group !== undefined && { iommuGroup: Number(group) }),
      }
    }),
  )
}
