/** Takes back everything vmpkg changed on this host: devices go to their drivers, files become what they were. */
import { VmpkgError } from '../errors.ts'
import { commandsAfter, type HostCommand } from '../host/host-advice.ts'
import { type FileChange, formatFileDiff, isChange, planFiles, writeFileChange } from '../host/host-files.ts'
import { EMPTY_JOURNAL, type HostJournal, readHostJournal, writeHostJournal } from '../host/host-journal.ts'
import { readHostTree } from '../host/host-tree.ts'
import { NO_WISHES } from '../host/host-wishes.ts'
import { hostRoots } from '../host/pci-host.ts'
import { carryOut, reverseConsoleRelease, unbindFromVfio, type WriteSysfs } from '../host/vfio-bind.ts'
import { requireRunningHost, runCommands, type SkippedCommand } from './host-apply.ts'
import { openTarget } from './host-plan.ts'
import { listPciDomains } from './pci-domains.ts'
import type { Workspace } from './workspace.ts'

export interface HostUndoPlan {
  readonly target: string
  readonly journal: HostJournal
  readonly changes: readonly FileChange[]
  readonly diffs: readonly string[]
  /** Addresses that go back to their drivers. */
  readonly unbind: readonly string[]
  readonly commands: readonly HostCommand[]
}

export interface HostUndone {
  readonly changed: boolean
  readonly files: readonly string[]
  readonly unbound: readonly string[]
  readonly ran: readonly HostCommand[]
  readonly skipped: readonly SkippedCommand[]
  readonly left: readonly HostCommand[]
}

/** @throws {VmpkgError} `HOST_FILE_CHANGED` when somebody changed our lines; nothing is written then */
export async function planHostUndo({ target }: { readonly target?: string | undefined } = {}): Promise<HostUndoPlan> {
  const root = await openTarget(target)
  const [journal, tree] = await Promise.all([readHostJournal(root), readHostTree(root)])
  const changes = await planFiles(root, [], journal.files)
  const changed = changes.filter(isChange)
  const memberships = journal.groups.map(
    ({ user, group }): HostCommand => ({
      argv: ['gpasswd', '--delete', user, group],
      why: `${user} was put into ${group} by vmpkg`,
      isSafe: true,
    }),
  )
  return {
    target: root,
    journal,
    changes,
    diffs: changed.map(formatFileDiff),
    unbind: journal.bound.map(({ address }) => address),
    commands: [
      ...memberships,
      ...commandsAfter(
        { tree },
        NO_WISHES,
        changed.map(({ path }) => path),
        { hasWishes: false },
      ),
    ],
  }
}

/** @throws {VmpkgError} `DEVICE_REFUSED` when a running domain has a device, `NO_RIGHTS` */
export async function undoHost(
  workspace: Workspace,
  plan: HostUndoPlan,
  { run = false, write }: { readonly run?: boolean; readonly write?: WriteSysfs } = {},
): Promise<HostUndone> {
  const { target } = plan
  if (run) requireRunningHost(target)
  const unbound = await releaseDevices(workspace, plan, write)
  let journal = { ...plan.journal, bound: [] as HostJournal['bound'], console: [] as HostJournal['console'] }
  for (const change of plan.changes.toReversed()) {
    const known = plan.journal.files.find((file) => file.edit.path === change.path)
    await writeFileChange(target, change, known, async (entry) => {
      if (entry !== undefined) return // it is in the journal already
      journal = { ...journal, files: journal.files.filter((file) => file.edit.path !== change.path) }
      await writeHostJournal(target, journal)
    })
  }
  const { ran, skipped, left } = await runCommands(workspace, target, run ? plan.commands : [])
  // Memberships stay known until they are really taken away.
  await writeHostJournal(target, run ? EMPTY_JOURNAL : { ...EMPTY_JOURNAL, groups: journal.groups })
  return {
    changed: plan.changes.some(isChange) || unbound.length > 0,
    files: plan.changes.filter(isChange).map(({ path }) => `${target === '/' ? '' : target}/${path}`),
    unbound,
    ran,
    skipped,
    left: run ? left : plan.commands,
  }
}

async function releaseDevices(
  workspace: Workspace,
  { target, journal }: HostUndoPlan,
  write: WriteSysfs | undefined,
): Promise<readonly string[]> {
  if (journal.bound.length === 0) return []
  await refuseRunning(
    workspace,
    target,
    journal.bound.map(({ address }) => address),
  )
  const { sysfs } = hostRoots(target)
  const unbound: string[] = []
  let { bound } = journal
  for (const device of bound.toReversed()) {
    if (await unbindFromVfio(sysfs, device, write)) unbound.push(device.address)
    bound = bound.filter(({ address }) => address !== device.address)
    await writeHostJournal(target, { ...journal, bound })
  }
  await carryOut(sysfs, reverseConsoleRelease(journal.console), write)
  return unbound
}

/** A driver of VFIO waits for ever when a guest still has the device. @throws {VmpkgError} `DEVICE_REFUSED` */
export async function refuseRunning(workspace: Workspace, target: string, addresses: readonly string[]): Promise<void> {
  if (target !== '/') return
  for (const { name, isRunning, pci } of await listPciDomains(workspace)) {
    const held = pci.filter((address) => addresses.includes(address))
    if (isRunning && held.length > 0) {
      throw new VmpkgError('DEVICE_REFUSED', `The running domain ${name} has ${held.join(', ')}`, {
        hint: `Stop it first: virsh shutdown ${name}`,
      })
    }
  }
}
