/** The devices of a host that guests can have: what each is, who uses it, and whether it can be given away. */
import { VmpkgError } from '../errors.ts'
import { findBlockers, type GroupBlocker, isExempt } from '../host/iommu-group.ts'
import { type MdevInstance, type MdevType, readMdevInstances, readMdevTypes } from '../host/mdev.ts'
import { planPassthrough } from '../host/passthrough-plan.ts'
import { describeHolder, type Refusal } from '../host/passthrough-refusal.ts'
import type { PciDevice } from '../host/pci-device.ts'
import { hostRoots, type PciHost } from '../host/pci-host.ts'
import { describePciDevice } from '../host/pci-names.ts'
import { getDevices, selectDevices } from '../host/pci-selection.ts'
import { type InputDevice, readInputDevices, readUsbDevices, type UsbDevice } from '../host/usb-device.ts'
import { comparePciAddresses, parsePciSelector } from '../model/pci.ts'
import { isLocal } from './connection-name.ts'
import { readHost, readHostElsewhere } from './pci-facts.ts'
import type { Workspace } from './workspace.ts'

export interface PciRow {
  readonly device: PciDevice
  /** `Ethernet controller: Intel Corporation 82574L …` */
  readonly title: string
  /** What the host or a domain does with it. */
  readonly users: readonly string[]
  /** As VFIO means it: no driver of the host holds any device of its group. */
  readonly isViable: boolean
  readonly blockers: readonly GroupBlocker[]
  /** Bridges stay with the host. */
  readonly isExempt: boolean
}

export interface DeviceList {
  readonly iommu: PciHost['iommu']
  /** Ordered by group, then address; those without a group last. */
  readonly pci: readonly PciRow[]
  readonly usb: readonly UsbDevice[]
  readonly mdevTypes: readonly MdevType[]
  readonly mdevs: readonly MdevInstance[]
  readonly inputs: readonly InputDevice[]
  /** False for what libvirt told of another machine: it knows neither mounts nor routes. */
  readonly isComplete: boolean
}

export interface DeviceDetails extends PciRow {
  readonly mates: readonly PciRow[]
  /** What `host plan --device` would say, as it stands. */
  readonly plan: {
    readonly bind: readonly string[]
    readonly refusals: readonly Refusal[]
    readonly warnings: readonly string[]
  }
}

/**
 * @param target root of a file tree to read instead of this machine's
 * @param selectors only PCI devices that fit one of them
 * @throws {VmpkgError} `PARAMETER_INVALID`, `LIBVIRT_UNREACHABLE` for a host elsewhere
 */
export async function listDevices(
  workspace: Workspace,
  { target, selectors = [] }: { readonly target?: string | undefined; readonly selectors?: readonly string[] } = {},
): Promise<DeviceList> {
  const wanted = selectors.map(parsePciSelector)
  if (target === undefined && !isLocal(workspace.connectionName)) return listElsewhere(workspace, selectors)
  const root = target ?? '/'
  const host = await readHost(workspace, target)
  const { sysfs } = hostRoots(root)
  const [usb, mdevTypes, mdevs, inputs] = await Promise.all([
    readUsbDevices(sysfs),
    readMdevTypes(sysfs),
    readMdevInstances(sysfs),
    readInputDevices(hostRoots(root)),
  ])
  const chosen = new Set(wanted.flatMap((selector) => selectDevices(host.devices, selector)))
  return {
    iommu: host.iommu,
    pci: rowsOf(host).filter(({ device }) => wanted.length === 0 || chosen.has(device)),
    usb,
    mdevTypes,
    mdevs,
    inputs,
    isComplete: true,
  }
}

/** @throws {VmpkgError} `DEVICE_UNKNOWN`; `DEVICE_REFUSED` when several fit; `PARAMETER_INVALID` */
export async function showDevices(
  workspace: Workspace,
  name: string,
  { target }: { readonly target?: string | undefined } = {},
): Promise<readonly DeviceDetails[]> {
  if (target === undefined && !isLocal(workspace.connectionName)) {
    throw new VmpkgError('HOST_UNSUPPORTED', 'Details of devices can be read on their own machine only', {
      hint: 'Run vmpkg there, or list them with vmpkg devices.',
    })
  }
  const host = await readHost(workspace, target)
  const devices = getDevices(host.devices, parsePciSelector(name))
  const rows = rowsOf(host)
  return devices.map((device) => {
    const selectors = [parsePciSelector(device.address)]
    const { bind, refusals, warnings } = planPassthrough(host, { selectors, mode: 'default', wholeCards: true })
    const row = rows.find((other) => other.device === device)
    return {
      ...(row ?? rowOf(host, device)),
      mates: rows.filter(
        (other) =>
          device.iommuGroup !== undefined && other.device.iommuGroup === device.iommuGroup && other.device !== device,
      ),
      plan: { bind, refusals, warnings },
    }
  })
}

async function listElsewhere(workspace: Workspace, selectors: readonly string[]): Promise<DeviceList> {
  const { host, devices } = await readHostElsewhere(await workspace.connect())
  const wanted = selectors.map(parsePciSelector)
  const rows = rowsOf(host).filter(
    ({ device }) => wanted.length === 0 || wanted.some((selector) => selectDevices([device], selector).length > 0),
  )
  const { usb, mdevTypes, mdevs } = devices
  return { iommu: host.iommu, pci: rows, usb, mdevTypes, mdevs, inputs: [], isComplete: false }
}

function rowsOf(host: PciHost): readonly PciRow[] {
  return host.devices
    .map((device) => rowOf(host, device))
    .toSorted(
      (a, b) =>
        (a.device.iommuGroup ?? Infinity) - (b.device.iommuGroup ?? Infinity) ||
        comparePciAddresses(a.device.address, b.device.address),
    )
}

function rowOf(host: PciHost, device: PciDevice): PciRow {
  const { iommuGroup } = device
  const members = host.devices.filter((other) => iommuGroup !== undefined && other.iommuGroup === iommuGroup)
  const blockers = findBlockers(members, host.kernel.release)
  return {
    device,
    title: describePciDevice(device, host.names),
    users: (host.holders.get(device.address) ?? []).map(describeHolder),
    isViable: iommuGroup !== undefined && blockers.length === 0 && !isExempt(device),
    blockers,
    isExempt: isExempt(device),
  }
}
