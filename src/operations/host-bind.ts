/** Binds PCI devices to vfio-pci now, and gives them back: for guests without managed hostdevs, and for a try. */
import { VmpkgError } from '../errors.ts'
import { listFolder } from '../host/attribute.ts'
import { readHostJournal, rememberDevices, writeHostJournal } from '../host/host-journal.ts'
import { isVfioDriver } from '../host/iommu-group.ts'
import { type PassthroughMode, type PassthroughPlan, planPassthrough, requirePlan } from '../host/passthrough-plan.ts'
import type { PciDevice } from '../host/pci-device.ts'
import { hostRoots, readPciHost } from '../host/pci-host.ts'
import { selectDevices } from '../host/pci-selection.ts'
import {
  type BoundDevice,
  bindToVfio,
  carryOut,
  planBind,
  planConsoleRelease,
  planUnbind,
  readBoundDevice,
  reverseConsoleRelease,
  type SysfsWrite,
  unbindFromVfio,
  VFIO_PCI,
  type WriteSysfs,
} from '../host/vfio-bind.ts'
import { parsePciSelector } from '../model/pci.ts'
import { openTarget } from './host-plan.ts'
import { refuseRunning } from './host-undo.ts'
import type { Workspace } from './workspace.ts'

export interface BindPlan {
  readonly target: string
  readonly passthrough: PassthroughPlan
  /** Exactly what is written to /sys, in order. */
  readonly writes: readonly SysfsWrite[]
  readonly console: readonly SysfsWrite[]
  readonly devices: readonly PciDevice[]
}

export interface BindRequest {
  readonly target?: string | undefined
  readonly devices: readonly string[]
  readonly mode: PassthroughMode
  readonly every?: boolean
  readonly onlyNamed?: boolean
  readonly force?: boolean
}

/** @throws {VmpkgError} `DEVICE_UNKNOWN` `DEVICE_REFUSED` `PARAMETER_INVALID` */
export async function planHostBind(request: BindRequest): Promise<BindPlan> {
  const target = await openTarget(request.target)
  const host = await readPciHost(target)
  const { sysfs } = hostRoots(target)
  const { mode, every = false, onlyNamed = false, force = false } = request
  const selectors = request.devices.map(parsePciSelector)
  const passthrough = requirePlan(planPassthrough(host, { selectors, mode, every, force, wholeCards: !onlyNamed }))
  const losesConsole = passthrough.bind.some((address) =>
    host.holders.get(address)?.some(({ kind }) => kind === 'console'),
  )
  const console = losesConsole ? await planConsoleRelease(sysfs) : []
  const before = await Promise.all(passthrough.bind.map(async (address) => readBoundDevice(sysfs, address)))
  return { target, passthrough, console, devices: host.devices, writes: [...console, ...before.flatMap(planBind)] }
}

/**
 * @returns the addresses that vfio-pci has got
 * @throws {VmpkgError} `DEVICE_REFUSED` `HOST_UNSUPPORTED` `NO_RIGHTS`; what was bound is given back then
 */
export async function applyHostBind(
  workspace: Workspace,
  { target, passthrough, console, devices }: BindPlan,
  write?: WriteSysfs,
): Promise<readonly string[]> {
  if (passthrough.bind.length === 0) return []
  const { sysfs } = hostRoots(target)
  await loadVfio(workspace, target)
  const journal = await readHostJournal(target)
  const before = await Promise.all(passthrough.bind.map(async (address) => readBoundDevice(sysfs, address)))
  const known = journal.bound.filter(({ address }) => !passthrough.bind.includes(address))
  // Intent first: what is undone was never bound, and then nothing is written for it.
  await writeHostJournal(target, {
    ...rememberDevices(journal, devices, new Set(passthrough.bind)),
    bound: [...known, ...before],
    console: [...journal.console, ...console],
  })
  try {
    await carryOut(sysfs, console, write)
    return (await bindToVfio(sysfs, passthrough.bind, write)).map(({ address }) => address)
  } catch (error) {
    await carryOut(sysfs, reverseConsoleRelease(console), write).catch(() => undefined)
    await writeHostJournal(target, journal)
    throw error
  }
}

export interface UnbindPlan {
  readonly target: string
  readonly devices: readonly BoundDevice[]
  /** Exactly what is written to /sys, in order. */
  readonly writes: readonly SysfsWrite[]
}

/**
 * @param names selectors; all that vmpkg bound where there are none
 * @throws {VmpkgError} `DEVICE_UNKNOWN` when vmpkg did not bind one, `DEVICE_REFUSED` when a running domain has one
 */
export async function planHostUnbind(
  workspace: Workspace,
  { target, names }: { readonly target?: string | undefined; readonly names: readonly string[] },
): Promise<UnbindPlan> {
  const root = await openTarget(target)
  const { bound, console } = await readHostJournal(root)
  const chosen = names.length === 0 ? bound : await chooseBound(root, bound, names)
  const addresses = chosen.map(({ address }) => address)
  await refuseRunning(workspace, root, addresses)
  const devices = chosen.toReversed()
  const writes = await Promise.all(
    devices.map(async (device) => {
      const { driver } = await readBoundDevice(hostRoots(root).sysfs, device.address)
      return planUnbind(device, isVfioDriver(driver))
    }),
  )
  const isLast = chosen.length === bound.length
  return { target: root, devices, writes: [...writes.flat(), ...(isLast ? reverseConsoleRelease(console) : [])] }
}

/**
 * Gives devices back to the drivers they came from.
 * @returns the addresses that went back
 * @throws {VmpkgError} `DEVICE_REFUSED` when a driver does not take its device back, `NO_RIGHTS`
 */
export async function unbindHost({ target, devices }: UnbindPlan, write?: WriteSysfs): Promise<readonly string[]> {
  const { sysfs } = hostRoots(target)
  const unbound: string[] = []
  let current = await readHostJournal(target)
  for (const device of devices) {
    if (await unbindFromVfio(sysfs, device, write)) unbound.push(device.address)
    current = { ...current, bound: current.bound.filter(({ address }) => address !== device.address) }
    await writeHostJournal(target, current)
  }
  if (current.bound.length === 0 && current.console.length > 0) {
    await carryOut(sysfs, reverseConsoleRelease(current.console), write)
    await writeHostJournal(target, { ...current, console: [] })
  }
  return unbound
}

async function chooseBound(
  target: string,
  bound: readonly BoundDevice[],
  names: readonly string[],
): Promise<readonly BoundDevice[]> {
  const { devices } = await readPciHost(target)
  const addresses = names.flatMap((name) => {
    const found = selectDevices(devices, parsePciSelector(name)).map(({ address }) => address)
    if (found.some((address) => bound.some((device) => device.address === address))) return found
    throw new VmpkgError('DEVICE_UNKNOWN', `vmpkg did not bind ${name}`, {
      hint:
        bound.length === 0
          ? 'Nothing is bound by vmpkg; virsh nodedev-reattach gives back what libvirt took.'
          : `Bound are ${bound.map(({ address }) => address).join(', ')}.`,
    })
  })
  return bound.filter(({ address }) => addresses.includes(address))
}

/** Only for the running host: a tree has no modules to load. */
async function loadVfio({ outside }: Workspace, target: string): Promise<void> {
  const drivers = await listFolder(`${hostRoots(target).sysfs}/bus/pci/drivers`)
  if (drivers.includes(VFIO_PCI) || target !== '/') return
  const { exitCode, stderr } = await outside.processes.run('modprobe', [VFIO_PCI], { signal: outside.signal })
  if (exitCode === 0) return
  throw new VmpkgError('HOST_UNSUPPORTED', `modprobe ${VFIO_PCI} failed: ${stderr.trim().slice(-300)}`, {
    hint: 'Install the full kernel of your distribution; some cloud kernels have no VFIO.',
  })
}
