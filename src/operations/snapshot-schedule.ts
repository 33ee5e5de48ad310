/** Snapshots that are taken by themselves: the schedule of a machine, what is due, and which ones its retention lets go. */
import { stat } from 'node:fs/promises'
import { listMachines, type Machine } from '../domain/inventory.ts'
import type { SnapshotFacts } from '../domain/snapshot.ts'
import {
  choosePruned,
  isScheduled,
  LEAST_SECONDS,
  MOST_KEPT,
  markSchedule,
  type Retention,
  readSchedule,
  type SnapshotSchedule,
  scheduledName,
} from '../domain/snapshot-schedule.ts'
import { isVmpkgError, VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import { createSnapshot } from './snapshot-create.ts'
import { deleteSnapshots } from './snapshot-delete.ts'
import { getSnapshotMachine, listSnapshots, readMachineState } from './snapshot-state.ts'
import type { Workspace } from './workspace.ts'

export interface ScheduleRow extends SnapshotSchedule {
  readonly machine: string
  readonly last: Date | undefined
  /** Not before; of a machine that is off only once its disk has changed. */
  readonly next: Date
  /** How many of the schedule's there are. */
  readonly count: number
}

const UNITS: Readonly<Record<string, number>> = { m: 60, h: 3600, d: 86_400, w: 604_800 }

/** `15m`, `1h`, `1d`, `1w`. @throws {VmpkgError} `USAGE` */
export function parseEvery(text: string): number {
  const [, count, unit = ''] = /^(\d{1,5})([mhdw])$/.exec(text) ?? []
  const seconds = Number(count) * (UNITS[unit] ?? Number.NaN)
  if (seconds >= LEAST_SECONDS && seconds <= 366 * 86_400) return seconds
  throw new VmpkgError('USAGE', `--every takes a time from 1m to 366d, not ${JSON.stringify(text.slice(0, 40))}`, {
    hint: 'Write it like 15m, 1h, 1d or 1w.',
  })
}

/** @throws {VmpkgError} `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN` `USAGE` */
export async function setSchedule(workspace: Workspace, name: string, schedule: SnapshotSchedule): Promise<void> {
  const { keep, keepDaily, keepWeekly, keepMonthly } = schedule
  const most = keep + keepDaily + keepWeekly + keepMonthly
  if (most > MOST_KEPT) {
    throw new VmpkgError('USAGE', `That would keep up to ${most} snapshots; ${MOST_KEPT} is the most`, {
      hint: 'Each makes the chain of the disk longer, and libvirt reads no more than 200 files of one.',
    })
  }
  const machine = await getSnapshotMachine(await workspace.connect(), name)
  await markSchedule(machine.domain, schedule)
}

/** @returns whether it had one. @throws {VmpkgError} `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN` `USAGE` */
export async function removeSchedule(workspace: Workspace, name: string): Promise<boolean> {
  const machine = await getSnapshotMachine(await workspace.connect(), name)
  if (readSchedule(machine.xml) === undefined) return false
  await markSchedule(machine.domain, undefined)
  return true
}

export async function listSchedules(connect: Connect): Promise<readonly ScheduleRow[]> {
  const rows: ScheduleRow[] = []
  for (const machine of await listMachines(connect)) {
    const schedule = readSchedule(machine.xml)
    if (schedule === undefined || machine.facts.ephemeral || machine.facts.kind === 'router') continue
    rows.push(toRow(machine, schedule, await listSnapshots(machine.domain)))
  }
  return rows
}

function toRow(machine: Machine, schedule: SnapshotSchedule, snapshots: readonly SnapshotFacts[]): ScheduleRow {
  const own = snapshots.filter(isScheduled)
  const last = own.map(({ time }) => time.getTime()).reduce((a, b) => Math.max(a, b), 0)
  return {
    machine: machine.name,
    ...schedule,
    last: last === 0 ? undefined : new Date(last),
    next: new Date(last + schedule.everySeconds * 1000),
    count: own.length,
  }
}

export interface Pruned {
  readonly machine: string
  readonly deleted: readonly string[]
}

/**
 * Deletes what the retention no longer keeps, of machines with a schedule or of the one named.
 * @param retention in place of what the schedule says
 * @throws {VmpkgError} `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN`, `USAGE` for a machine without a schedule where no retention is said
 */
export async function pruneSnapshots(
  workspace: Workspace,
  {
    machine,
    retention,
    dryRun,
  }: { readonly machine: string | undefined; readonly retention: Retention | undefined; readonly dryRun: boolean },
): Promise<readonly Pruned[]> {
  const connect = await workspace.connect()
  const machines = machine === undefined ? await listMachines(connect) : [await getSnapshotMachine(connect, machine)]
  const pruned: Pruned[] = []
  for (const one of machines) {
    const rule = retention ?? readSchedule(one.xml)
    if (rule === undefined) {
      if (machine === undefined) continue
      throw new VmpkgError('USAGE', `${one.name} has no schedule that says what to keep`, {
        hint: 'Say it with --keep, or set a schedule: vmpkg snapshot schedule set.',
      })
    }
    const names = choosePruned(await listSnapshots(one.domain), rule).map(({ name }) => name)
    if (names.length === 0) continue
    const { deleted } = await deleteSnapshots(workspace, { machine: one.name, names, children: false, dryRun })
    pruned.push({ machine: one.name, deleted })
  }
  return pruned
}

/** Machines whose next snapshot is due, and those with more than their retention keeps. */
export async function listDue(workspace: Workspace, connect: Connect): Promise<readonly ScheduleRow[]> {
  const now = workspace.outside.clock.now()
  const due: ScheduleRow[] = []
  for (const row of await listSchedules(connect)) if (row.next <= now && (await hasChanged(connect, row))) due.push(row)
  return due
}

/** A machine that is off, and was off all the time since the last one, has nothing new. */
async function hasChanged(connect: Connect, { machine, last }: ScheduleRow): Promise<boolean> {
  const domain = await connect.domainLookupByName({ name: machine })
  if (last === undefined || (await domain.isActive())) return true
  const { disks } = await readMachineState(domain)
  const times = await Promise.all(disks.map(async ({ top }) => (await stat(top)).mtimeMs))
  // libvirt counts seconds, and the overlay of the last one is as old as it.
  return times.some((time) => time > last.getTime() + 2000)
}

/** One that fails is told, and the others have their turn. */
export async function takeDue(workspace: Workspace, connect: Connect): Promise<void> {
  const { clock, emit } = workspace.outside
  for (const { machine, quiesce } of await listDue(workspace, connect)) {
    try {
      const name = scheduledName(clock.now())
      const isActive = await (await connect.domainLookupByName({ name: machine })).isActive()
      await createSnapshot(workspace, {
        machine,
        name,
        description: 'Made by the schedule of vmpkg',
        memory: false,
        quiesce: quiesce && isActive,
        dryRun: false,
      })
      emit({ type: 'noted', message: `Took the snapshot ${name} of ${machine}` })
      for (const { deleted } of await pruneSnapshots(workspace, { machine, retention: undefined, dryRun: false })) {
        emit({
          type: 'noted',
          message: `Deleted ${deleted.join(', ')} of ${machine}, which its schedule keeps no longer`,
        })
      }
    } catch (cause) {
      if (!isVmpkgError(cause) || cause.code === 'ABORTED') throw cause
      emit({ type: 'warned', code: cause.code, message: `The scheduled snapshot of ${machine}: ${cause.message}` })
    }
  }
}
