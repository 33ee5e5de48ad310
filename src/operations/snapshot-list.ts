/** `snapshot list` and `snapshot show`: what libvirt remembers, whoever made it. */
import { stat } from 'node:fs/promises'
import { getMachine, listMachines, type Machine } from '../domain/inventory.ts'
import { describeContent, hasMemory, inOrder, isInternal, type SnapshotFacts } from '../domain/snapshot.ts'
import { isScheduled } from '../domain/snapshot-schedule.ts'
import { currentSnapshot, getSnapshot, listSnapshots } from './snapshot-state.ts'
import type { Workspace } from './workspace.ts'

export interface SnapshotRow {
  readonly machine: string
  readonly name: string
  readonly parent: string | undefined
  readonly time: Date
  /** What the machine did then: `running`, `paused`, `shutoff`, `disk-snapshot`. */
  readonly state: string
  readonly content: string
  readonly memory: boolean
  readonly kind: 'external' | 'internal'
  readonly current: boolean
  /** Made by the schedule, which may delete it again. */
  readonly scheduled: boolean
  readonly description: string | undefined
  /** That its own files take on the disk of the host; of an internal one that is not known. */
  readonly bytes: number | undefined
  readonly disks: readonly { readonly target: string; readonly file: string }[]
}

/** By machine, parents before their children. @throws {VmpkgError} `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN` */
export async function listSnapshotRows(
  workspace: Workspace,
  machine: string | undefined,
): Promise<readonly SnapshotRow[]> {
  const connect = await workspace.connect()
  const machines = machine === undefined ? await listMachines(connect) : [await getMachine(connect, machine)]
  const rows = await Promise.all(machines.map(readRows))
  return rows.flat()
}

/** @throws {VmpkgError} `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN` `SNAPSHOT_UNKNOWN` */
export async function showSnapshot(
  workspace: Workspace,
  { machine, name }: { readonly machine: string; readonly name: string },
): Promise<{ readonly row: SnapshotRow; readonly xml: string }> {
  const found = await getMachine(await workspace.connect(), machine)
  const snapshots = await listSnapshots(found.domain)
  const { xml } = getSnapshot(machine, snapshots, name)
  const row = (await readRows(found)).find((one) => one.name === name)
  if (row === undefined) throw new TypeError('a snapshot that is listed has a row')
  return { row, xml }
}

async function readRows({ domain, name: machine }: Machine): Promise<readonly SnapshotRow[]> {
  const snapshots = await listSnapshots(domain)
  if (snapshots.length === 0) return []
  const current = await currentSnapshot(domain)
  return Promise.all(inOrder(snapshots).map((one) => readRow(machine, one, current)))
}

async function readRow(machine: string, snapshot: SnapshotFacts, current: string | undefined): Promise<SnapshotRow> {
  const { name, parent, time, state, description, memory, disks } = snapshot
  const isInside = isInternal(snapshot)
  const files = [...disks.map(({ file }) => file), ...(memory.file === undefined ? [] : [memory.file])]
  const sizes = await Promise.all(
    files.map(async (file) =>
      stat(file).then(
        ({ blocks }) => blocks * 512,
        () => 0,
      ),
    ),
  )
  return {
    machine,
    name,
    parent,
    time,
    state,
    content: describeContent(snapshot),
    memory: hasMemory(snapshot),
    kind: isInside ? 'internal' : 'external',
    current: name === current,
    scheduled: isScheduled(snapshot),
    description,
    bytes: isInside ? undefined : sizes.reduce((sum, bytes) => sum + bytes, 0),
    disks: disks.map(({ target, file }) => ({ target, file })),
  }
}
