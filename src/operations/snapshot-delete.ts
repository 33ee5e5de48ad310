/**
 * `snapshot delete`: the snapshot is gone as soon as libvirt has forgotten it; then what its files hold goes into what
 * stands on them, and no other snapshot sees a difference. Internal ones are libvirt's own to delete.
 */
import { realpath } from 'node:fs/promises'
import { descendantsOf, inOrder, isInternal, type SnapshotFacts } from '../domain/snapshot.ts'
import { LibvirtError } from '../libvirt/error.ts'
import { setAttribute } from '../xml/edit.ts'
import { findElement, findElements, getAttribute } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import { formatXml } from '../xml/tree.ts'
import { intend, transact } from './recover.ts'
import { settleSnapshots } from './snapshot-settle.ts'
import {
  currentSnapshot,
  explainLibvirt,
  getSnapshot,
  getSnapshotMachine,
  type MachineState,
  readMachineState,
} from './snapshot-state.ts'
import type { Workspace } from './workspace.ts'

export interface DeleteRequest {
  readonly machine: string
  readonly names: readonly string[]
  /** And all that follow from them. */
  readonly children: boolean
  readonly dryRun: boolean
}

export interface DeletedSnapshots {
  readonly machine: string
  /** Children before their parents. */
  readonly deleted: readonly string[]
  /** Files that are merged once the machine is off. */
  readonly waiting: readonly string[]
}

/** @throws {VmpkgError} `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN` `USAGE` `SNAPSHOT_UNKNOWN` `LIBVIRT_FAILED`, and what merging throws */
export async function deleteSnapshots(workspace: Workspace, request: DeleteRequest): Promise<DeletedSnapshots> {
  const connect = await workspace.connect()
  const machine = await getSnapshotMachine(connect, request.machine)
  const { domain } = machine
  const state = await readMachineState(domain)
  const chosen = chooseDeleted(state, request)
  const deleted = chosen.map(({ name }) => name)
  if (request.dryRun || chosen.length === 0) return { machine: machine.name, deleted, waiting: [] }
  const files = [...new Set((await Promise.all(chosen.map(filesOf))).flat())]
  const subject = `${deleted.length === 1 ? deleted[0] : `${deleted.length} snapshots`} of ${machine.name}`
  return transact(workspace, { operation: 'snapshot-delete', subject }, async (transaction) => {
    workspace.outside.emit({ type: 'stage-started', stage: 'snapshot', subject: machine.name })
    intend(transaction, { kind: 'settle-snapshots', uuid: domain.uuid, files })
    for (const snapshot of chosen) await forget(state, snapshot)
    const { waiting } = await settleSnapshots(workspace, connect, { uuid: domain.uuid, files })
    transaction.commit()
    workspace.outside.emit({ type: 'stage-finished', stage: 'snapshot', subject: machine.name })
    return { machine: machine.name, deleted, waiting }
  })
}

function chooseDeleted(
  { domain, snapshots }: MachineState,
  { names, children }: DeleteRequest,
): readonly SnapshotFacts[] {
  const chosen = new Set<string>()
  for (const name of names) {
    const one = getSnapshot(domain.name, snapshots, name)
    chosen.add(one.name)
    if (children) for (const below of descendantsOf(snapshots, one.name)) chosen.add(below.name)
  }
  return inOrder(snapshots)
    .filter(({ name }) => chosen.has(name))
    .toReversed()
}

async function forget({ domain, disks, keyOf }: MachineState, snapshot: SnapshotFacts): Promise<void> {
  // libvirt looks into the file that a disk has now; in one below, it would miss it.
  const isAtHand = snapshot.disks.every(({ file }) => disks.some(({ top }) => top === keyOf(file)))
  try {
    if (!isInternal(snapshot)) await withdrawOverlays({ domain }, snapshot)
    const own = await domain.snapshotLookupByName({ name: snapshot.name })
    await own.delete({ flags: isInternal(snapshot) && isAtHand ? [] : ['metadataOnly'] })
  } catch (cause) {
    if (cause instanceof LibvirtError && cause.is('noDomainSnapshot')) return
    throw explainLibvirt(`libvirt does not delete ${snapshot.name}`, 'The machine is as it was.', cause)
  }
}

/**
 * libvirt takes for granted that a snapshot's overlay has been committed where it forgets the snapshot, also where it is to
 * forget no more than that, and lets every other snapshot name the file below instead. One whose overlay is the file that
 * it froze leaves the others alone.
 */
async function withdrawOverlays(
  { domain }: Pick<MachineState, 'domain'>,
  { name, xml, disks }: SnapshotFacts,
): Promise<void> {
  const document = parseXml(xml)
  for (const disk of findElements(document.root, 'disks/disk')) {
    const source = findElement(disk, 'source')
    const own = disks.find(({ target, file }) => [target, file].includes(getAttribute(disk, 'name') ?? ''))
    if (source !== undefined && own?.kind === 'external') setAttribute(source, 'file', own.file)
  }
  const isCurrent = (await currentSnapshot(domain)) === name
  await domain.snapshotCreateXML({
    xml: formatXml(document),
    flags: isCurrent ? ['redefine', 'current'] : ['redefine'],
  })
}

/** Real paths: what it froze, what the machine went on with, and its memory. */
async function filesOf({ xml, disks, memory }: SnapshotFacts): Promise<readonly string[]> {
  const overlays = findElements(parseXml(xml).root, 'disks/disk/source').map((source) => getAttribute(source, 'file'))
  const named = [...disks.map(({ file }) => file), ...overlays, memory.file].filter((file) => file !== undefined)
  return Promise.all(named.map(async (file) => realpath(file).catch(() => file)))
}
