/** Plans, applies and takes back the tuning of this host's running kernel for steady guests. */
import { join } from 'node:path'
import { VmpkgError } from '../errors.ts'
import { parseDomainDemand } from '../host/preflight-demand.ts'
import { readBootId } from '../host/process-identity.ts'
import {
  applyTuning,
  readTuneRecord,
  type TunePlace,
  type TuneResult,
  type UndoResult,
  undoTuning,
} from '../host/tune-apply.ts'
import { planTuning, type TunePlan } from '../host/tune-plan.ts'
import { parseCpuSet } from '../model/cpu-set.ts'
import type { Workspace } from './workspace.ts'

export interface TuneRequest {
  /** Processors of guests, as in `2-5,8`. */
  readonly pins: string | undefined
  /** Domains whose pins count. */
  readonly machines: readonly string[]
  /** Before /sys and /proc; empty for the real ones. */
  readonly root?: string
}

/** @throws {VmpkgError} `USAGE` `PARAMETER_INVALID` `DOMAIN_UNKNOWN` `LIBVIRT_UNREACHABLE` */
export async function planTune(workspace: Workspace, { pins, machines, root = '' }: TuneRequest): Promise<TunePlan> {
  if (pins !== undefined && !/^\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*$/.test(pins)) {
    throw new VmpkgError('USAGE', `--pins takes processors, not ${JSON.stringify(pins.slice(0, 40))}`, {
      hint: 'Write them as 2-5,8.',
    })
  }
  const own = pins === undefined ? [] : parseCpuSet(pins)
  const ofMachines = await Promise.all(machines.map((name) => readPins(workspace, name)))
  const all = new Set([...own, ...ofMachines.flat()])
  return planTuning(
    root,
    [...all].toSorted((a, b) => a - b),
  )
}

async function readPins(workspace: Workspace, name: string): Promise<readonly number[]> {
  const { getMachine } = await import('../domain/inventory.ts')
  const { xml } = await getMachine(await workspace.connect(), name)
  const pins = parseDomainDemand(xml)?.pins.filter(({ path }) => path.startsWith('vcpu')) ?? []
  if (pins.length > 0) return pins.flatMap(({ cpus }) => cpus)
  throw new VmpkgError('USAGE', `${name} has no pins`, {
    hint: 'Name the processors with --pins, or pin the machine first.',
  })
}

/** The workspace holds the lock. @throws {VmpkgError} `NO_RIGHTS` */
export async function applyTune(workspace: Workspace, plan: TunePlan, root = ''): Promise<TuneResult> {
  return applyTuning(await place(workspace, root), plan.changes)
}

/** The workspace holds the lock. */
export async function undoTune(workspace: Workspace, root = ''): Promise<UndoResult> {
  return undoTuning(await place(workspace, root))
}

/** What an undo would write back. */
export async function listTuned(
  workspace: Workspace,
  root = '',
): Promise<readonly { readonly file: string; readonly before: string }[]> {
  return readTuneRecord(await place(workspace, root))
}

async function place({ paths }: Workspace, root: string): Promise<TunePlace> {
  return { root, record: join(paths.state, 'tune.json'), bootId: await readBootId() }
}
