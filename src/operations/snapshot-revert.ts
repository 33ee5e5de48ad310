/**
 * `snapshot revert`. libvirt reverts external snapshots from 9.9 on only, and then with the network as it was; so vmpkg
 * does it itself on every release: a new overlay on the file that the snapshot left, a copy of its firmware's variables,
 * one definition that names both, and the memory out of its file. Until that definition nothing is lost, and with it
 * everything is done. Internal snapshots are libvirt's own to revert.
 */
import { access, constants } from 'node:fs/promises'
import { join } from 'node:path'
import { placeDisks, placeNvram, readNvram } from '../domain/disk-chain.ts'
import { destroyIfRunning } from '../domain/removal.ts'
import { hasMemory, isInternal, type SnapshotFacts, snapshotKey } from '../domain/snapshot.ts'
import { inPresentPlace, networksOf } from '../domain/snapshot-guest.ts'
import { systemErrorCode, VmpkgError } from '../errors.ts'
import { readChain } from '../image/chain.ts'
import type { Connect } from '../libvirt/connect.ts'
import { findElement } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import { intend, transact } from './recover.ts'
import { copyDurably, randomSuffix, writeOverlayOn } from './snapshot-create.ts'
import { settleSnapshots } from './snapshot-settle.ts'
import {
  explainLibvirt,
  getSnapshot,
  getSnapshotMachine,
  layerFolder,
  type MachineState,
  readMachineState,
  storeOf,
} from './snapshot-state.ts'
import { prepareStart } from './start.ts'
import type { Workspace } from './workspace.ts'

/** What it does afterwards: as it did when the snapshot was taken, unless it is said. */
export type StateAfter = 'as-then' | 'off' | 'running' | 'paused'

export interface RevertRequest {
  readonly machine: string
  readonly name: string
  readonly after: StateAfter
  /** Also a machine that runs. */
  readonly force: boolean
  readonly dryRun: boolean
}

export interface Reverted {
  readonly machine: string
  readonly snapshot: string
  readonly state: 'off' | 'running' | 'paused'
  /** Whether it goes on where its memory was. */
  readonly resumed: boolean
  /** Disks that the snapshot does not know, and which stay as they are. */
  readonly untouched: readonly string[]
}

/**
 * @throws {VmpkgError} `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN` `DOMAIN_STATE` `USAGE` `SNAPSHOT_UNKNOWN` `SNAPSHOT_DAMAGED` `HOST_UNSUPPORTED`
 *   `NETWORK_UNAVAILABLE` `LIBVIRT_FAILED`
 */
export async function revertSnapshot(workspace: Workspace, request: RevertRequest): Promise<Reverted> {
  const connect = await workspace.connect()
  const machine = await getSnapshotMachine(connect, request.machine)
  const state = await readMachineState(machine.domain)
  const snapshot = getSnapshot(machine.name, state.snapshots, request.name)
  if (state.isActive && !request.force) {
    throw new VmpkgError('DOMAIN_STATE', `${machine.name} is running, and what it does now would be lost`, {
      hint: `vmpkg stop ${machine.name} first, or add --force.`,
    })
  }
  const isAsleep = !state.isActive && (await machine.domain.hasManagedSaveImage())
  if (isAsleep && !request.force) {
    throw new VmpkgError('DOMAIN_STATE', `${machine.name} sleeps, and its saved memory would be lost`, {
      hint: `Start and stop it first, or add --force.`,
    })
  }
  const after = stateAfter(snapshot, request.after)
  if (isInternal(snapshot))
    return revertInternal(workspace, connect, state, { snapshot, after, isAsleep, dryRun: request.dryRun })
  return revertExternal(workspace, connect, state, { snapshot, after, isAsleep, dryRun: request.dryRun })
}

function stateAfter(snapshot: SnapshotFacts, after: StateAfter): Reverted['state'] {
  if (after !== 'as-then') return after
  if (!hasMemory(snapshot)) return 'off'
  return snapshot.state === 'paused' ? 'paused' : 'running'
}

interface RevertPlan {
  readonly snapshot: SnapshotFacts
  readonly after: Reverted['state']
  /** Whether libvirt keeps its memory for the next start. */
  readonly isAsleep: boolean
  readonly dryRun: boolean
}

async function revertExternal(
  workspace: Workspace,
  connect: Connect,
  state: MachineState,
  { snapshot, after, isAsleep, dryRun }: RevertPlan,
): Promise<Reverted> {
  const { domain, disks } = state
  const files = disks.map(({ top }) => top) // what it had until now, whoever named it
  const bases = findBases(state, snapshot)
  const memory = after === 'off' ? undefined : snapshot.memory.file
  if (memory !== undefined) await requireFile(memory, snapshot.name)
  const result: Reverted = {
    machine: domain.name,
    snapshot: snapshot.name,
    state: after,
    resumed: memory !== undefined,
    untouched: disks.map(({ target }) => target).filter((target) => !bases.has(target)),
  }
  if (dryRun) return result
  const saved = await transact(
    workspace,
    { operation: 'snapshot-revert', subject: `${domain.name} to ${snapshot.name}` },
    async (transaction) => {
      intend(transaction, { kind: 'settle-snapshots', uuid: domain.uuid, files })
      const placed = await prepareRevert(workspace, state, snapshot, bases)
      if (state.isActive) await destroyIfRunning(domain)
      if (isAsleep) await domain.managedSaveRemove() // it would go on with other disks
      await connect.domainDefineXML({ xml: placed.definition })
      await settleSnapshots(workspace, connect, { uuid: domain.uuid, files })
      transaction.commit()
      return placed.saved
    },
  )
  if (after !== 'off') await beginAgain(workspace, connect, state, { memory, saved, after, snapshot: snapshot.name })
  return result
}

/** By target: what its disk was then. */
function findBases(
  { domain, disks, keyOf }: MachineState,
  { name, disks: before }: SnapshotFacts,
): ReadonlyMap<string, string> {
  const bases = new Map<string, string>()
  for (const { target, file } of before) {
    if (!disks.some((disk) => disk.target === target)) {
      throw new VmpkgError('SNAPSHOT_DAMAGED', `${domain.name} has no disk ${target} any more, which is in ${name}`, {
        hint: `vmpkg file get reads files out of it all the same.`,
      })
    }
    const key = keyOf(file)
    if (key === undefined) throw damaged(name, file)
    bases.set(target, key)
  }
  if (bases.size > 0) return bases
  throw new VmpkgError('SNAPSHOT_DAMAGED', `${name} names no disk of ${domain.name}, so there is nothing to go back to`)
}

function damaged(name: string, file: string): VmpkgError {
  return new VmpkgError('SNAPSHOT_DAMAGED', `A file of ${name} is gone: ${file}`, {
    hint: 'Bring it back, or forget the snapshot with vmpkg snapshot delete. The machine is as it was.',
    details: { file },
  })
}

async function requireFile(file: string, name: string): Promise<void> {
  try {
    await access(file, constants.R_OK)
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') throw damaged(name, file)
    throw error
  }
}

interface Prepared {
  readonly definition: string
  /** As the saved memory knows the machine, with the disks that it has now. */
  readonly saved: string
}

/** New files, and the definition of today with them: the network, the metadata and what the user changed stay. */
async function prepareRevert(
  workspace: Workspace,
  { domain, xml, files }: MachineState,
  snapshot: SnapshotFacts,
  bases: ReadonlyMap<string, string>,
): Promise<Prepared> {
  const { connectionPaths, outside } = workspace
  const { overlays } = connectionPaths
  const suffix = randomSuffix(outside.randomness)
  const tops = new Map<string, string>()
  for (const [target, base] of bases) {
    const path = join(layerFolder(workspace, base), `${domain.uuid}.${randomSuffix(outside.randomness)}.qcow2`)
    await writeOverlayOn(files.get(base), path)
    tops.set(target, await readChain({ file: path, format: 'qcow2' }, files))
  }
  const copy = join(overlays, `${domain.uuid}.${snapshotKey(snapshot.name)}.nvram`)
  const variables = readNvram(xml) === undefined ? undefined : join(overlays, `${domain.uuid}.${suffix}.nvram`)
  // Of one that had none yet, or that another tool made, there is no copy: with memory the flash has to be there as it is.
  if (variables !== undefined) await copyIfThere(copy, variables)
  const isShared = await storeOf(workspace)
  const place = (document: string): string => {
    const placed = placeDisks(document, { files, tops, isShared })
    return variables === undefined ? placed : placeNvram(placed, variables)
  }
  const then = findElement(parseXml(snapshot.xml).root, 'domain')
  const saved = then === undefined ? xml : inPresentPlace(then, xml)
  return { definition: place(xml), saved: place(saved) }
}

async function copyIfThere(from: string, to: string): Promise<void> {
  try {
    await copyDurably(from, to)
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error
  }
}

/** The disks are reverted by now, whatever becomes of this. */
async function beginAgain(
  workspace: Workspace,
  connect: Connect,
  { domain }: MachineState,
  {
    memory,
    saved,
    after,
    snapshot,
  }: {
    readonly memory: string | undefined
    readonly saved: string
    readonly after: 'running' | 'paused'
    readonly snapshot: string
  },
): Promise<void> {
  try {
    await prepareStart(
      workspace,
      connect,
      memory === undefined ? await domain.getXMLDesc({ flags: ['inactive'] }) : saved,
    )
    if (memory === undefined) await domain.create({ flags: after === 'paused' ? ['paused'] : [] })
    else await connect.domainRestore({ from: memory, xml: saved, flags: [after] })
  } catch (cause) {
    const fact = `${domain.name} is at ${snapshot} again, and off: it does not start`
    throw explainLibvirt(fact, `vmpkg start ${domain.name} boots it; vmpkg doctor explains known errors.`, cause)
  }
}

/** libvirt brings back the whole machine as it was, so it may not have moved meanwhile. */
async function revertInternal(
  workspace: Workspace,
  connect: Connect,
  { domain, xml, isActive }: MachineState,
  { snapshot, after, dryRun }: RevertPlan,
): Promise<Reverted> {
  const { name } = snapshot
  const [then, now] = [networksOf(snapshot.xml, 'domain/devices/interface'), networksOf(xml)]
  for (const [mac, network] of then) {
    if (now.get(mac) === network) continue
    throw new VmpkgError('NETWORK_UNAVAILABLE', `${name} would bring ${domain.name} back to the network ${network}`, {
      hint: `An internal snapshot has its network in it. Move the machine there first: vmpkg net move ${domain.name} ${network}`,
    })
  }
  const resumed = hasMemory(snapshot) && after !== 'off'
  const result: Reverted = { machine: domain.name, snapshot: name, state: after, resumed, untouched: [] }
  if (dryRun) return result
  await transact(
    workspace,
    { operation: 'snapshot-revert', subject: `${domain.name} to ${name}` },
    async (transaction) => {
      intend(transaction, { kind: 'settle-snapshots', uuid: domain.uuid, files: [] })
      try {
        if (isActive && !hasMemory(snapshot)) await destroyIfRunning(domain)
        const own = await domain.snapshotLookupByName({ name })
        await own.revert({ flags: after === 'off' ? ['force'] : ['force', after] })
        if (after === 'off') await destroyIfRunning(domain)
      } catch (cause) {
        const hint = 'It lies inside a disk file, and libvirt goes back to it only while the machine has that file.'
        throw explainLibvirt(`libvirt cannot go back to ${name}`, hint, cause)
      }
      await connect.domainDefineXML({ xml })
      await settleSnapshots(workspace, connect, { uuid: domain.uuid, files: [] })
      transaction.commit()
    },
  )
  return result
}
