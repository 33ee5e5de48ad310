/** What would be changed on this host for guests to get devices, memory and bridges: files, commands, and what it costs. */
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { VmpkgError } from '../errors.ts'
import { adviseHost, commandsAfter, type HostAdvice, type HostCommand } from '../host/host-advice.ts'
import { type HostConfigFacts, planHostConfig } from '../host/host-config.ts'
import { type FileChange, formatFileDiff, isChange, planFiles } from '../host/host-files.ts'
import { type HostJournal, readHostJournal } from '../host/host-journal.ts'
import { readHostTree } from '../host/host-tree.ts'
import { type HostWishes, mergeWishes, NO_WISHES } from '../host/host-wishes.ts'
import { isVfioDriver } from '../host/iommu-group.ts'
import { readKernel } from '../host/kernel.ts'
import { type PassthroughPlan, planPassthrough, requirePlan } from '../host/passthrough-plan.ts'
import { hostRoots, type PciHost, readPciHost } from '../host/pci-host.ts'
import { parsePciSelector } from '../model/pci.ts'

export interface HostPlan {
  /** Root of the file tree, absolute. */
  readonly target: string
  readonly wishes: HostWishes
  readonly passthrough: PassthroughPlan
  readonly changes: readonly FileChange[]
  /** One unified diff a file that changes. */
  readonly diffs: readonly string[]
  readonly commands: readonly HostCommand[]
  readonly advice: readonly HostAdvice[]
  /** Words for a boot loader that is not GRUB. */
  readonly manualWords: readonly string[]
  readonly journal: HostJournal
  readonly host: PciHost
}

export interface HostPlanRequest {
  readonly target?: string | undefined
  readonly wishes: HostWishes
  /** Forget what was wished for before. */
  readonly replace?: boolean
}

const NAME = /^[a-zA-Z0-9_][a-zA-Z0-9_.@-]{0,63}$/

/**
 * @throws {VmpkgError} `DEVICE_UNKNOWN` `DEVICE_REFUSED` `HOST_FILE_CHANGED` `PARAMETER_INVALID` `STATE_INVALID`
 */
export async function planHost({ target, wishes, replace = false }: HostPlanRequest): Promise<HostPlan> {
  const root = await openTarget(target)
  for (const name of [...wishes.bridges, ...wishes.users, ...wishes.blacklist]) requireName(name)
  const roots = hostRoots(root)
  const [journal, host, tree, kernel] = await Promise.all([
    readHostJournal(root),
    readPciHost(root),
    readHostTree(root),
    readKernel(roots),
  ])
  const merged = mergeWishes(replace ? NO_WISHES : journal.wishes, wishes)
  const passthrough = requirePlan(
    planPassthrough(willBeOn(host), {
      selectors: merged.devices.map(parsePciSelector),
      mode: merged.mode,
      wholeCards: !merged.onlyNamed,
      every: merged.every,
      force: merged.force,
    }),
  )
  for (const user of merged.users) requireName(user)
  const facts: HostConfigFacts = { host: asBefore(host, journal), commandLine: kernel.commandLine, tree, passthrough }
  const { edits, manualWords } = planHostConfig(facts, merged)
  const changes = await planFiles(root, edits, journal.files)
  const changed = changes.filter(isChange)
  const paths = changed.map(({ path }) => path)
  return {
    target: root,
    wishes: merged,
    passthrough,
    changes,
    diffs: changed.map(formatFileDiff),
    commands: commandsAfter(facts, merged, paths, { hasWishes: true }),
    advice: adviseHost(facts, merged),
    manualWords,
    journal,
    host,
  }
}

/** Absolute root of the file tree. @throws {VmpkgError} `USAGE` */
export async function openTarget(target: string | undefined): Promise<string> {
  const root = resolve(target ?? '/')
  const kind = await stat(root).catch(() => undefined)
  if (kind?.isDirectory() === true) return root
  throw new VmpkgError('USAGE', `--target ${root} is no folder`, {
    hint: 'Name the root of a file tree, such as /mnt.',
  })
}

/**
 * The plan is for the time after the reboot: while the IOMMU is off nobody knows the groups, so a device is prepared
 * without them, and refused for every other reason.
 */
function willBeOn(host: PciHost): PciHost {
  if (host.iommu.isOn) return host
  return {
    ...host,
    iommu: { ...host.iommu, isOn: true },
    devices: host.devices.map((device, i) => ({ ...device, iommuGroup: i })),
  }
}

/** Once vfio-pci has a device, its rules must stay those for the driver it came from. */
function asBefore(host: PciHost, { drivers, bound }: HostJournal): PciHost {
  const devices = host.devices.map((device) => {
    if (!isVfioDriver(device.driver)) return device
    const driver = drivers[device.address] ?? bound.find(({ address }) => address === device.address)?.driver
    return driver === undefined ? device : { ...device, driver }
  })
  return { ...host, devices }
}

function requireName(name: string): void {
  if (NAME.test(name)) return
  throw new VmpkgError('PARAMETER_INVALID', `Not a name: ${JSON.stringify(name.slice(0, 40))}`, {
    hint: 'Names of bridges, users and modules are letters, digits, dots, hyphens and underscores.',
  })
}
