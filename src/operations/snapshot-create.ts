/**
 * `snapshot create`: an external snapshot, which libvirt keeps and every other tool sees. The overlays that the machine goes
 * on with are made by vmpkg itself, for their owner only (CVE-2025-13193), and the variables of UEFI are copied beside
 * them, because libvirt has no snapshot of a raw flash. Killed at any moment there is the snapshot, or none of it.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseSnapshotName, snapshotKey } from '../domain/snapshot.ts'
import { compactTime } from '../domain/snapshot-schedule.ts'
import { replaceFile } from '../durable-file.ts'
import { systemErrorCode, VmpkgError } from '../errors.ts'
import { checkSpace } from '../host/preflight.ts'
import { pullUp } from '../image/merge-layers.ts'
import { writeOverlay } from '../image/qcow2-overlay.ts'
import { setText } from '../xml/edit.ts'
import { findElement, findElements, getAttribute, getText } from '../xml/find.ts'
import { escapeXml } from '../xml/lexical.ts'
import { parseXml } from '../xml/parse.ts'
import { formatXml } from '../xml/tree.ts'
import { intend, transact } from './recover.ts'
import { settleSnapshots } from './snapshot-settle.ts'
import {
  chainOf,
  explainLibvirt,
  getSnapshotMachine,
  layerFolder,
  listSnapshots,
  type MachineDisk,
  type MachineState,
  readMachineState,
} from './snapshot-state.ts'
import type { Workspace } from './workspace.ts'

export interface CreateRequest {
  readonly machine: string
  /** The time where it is absent. */
  readonly name: string | undefined
  readonly description: string | undefined
  /** With the memory of the running guest. */
  readonly memory: boolean
  /** The guest agent holds what the file systems write meanwhile. */
  readonly quiesce: boolean
  readonly dryRun: boolean
}

export interface CreatedSnapshot {
  readonly machine: string
  readonly name: string
  readonly memory: boolean
  /** Targets of the disks that are in it. */
  readonly disks: readonly string[]
  /** Whether the variables of UEFI are in it. */
  readonly nvram: boolean
  /** Disks whose chain was too deep, and now begins anew. */
  readonly flattened: readonly string[]
}

/** Files of a chain; libvirt reads no more than 200, and each costs a guest that starts some milliseconds. */
const MOST_LAYERS = 60
const MOST_LIVE_LAYERS = 180

/**
 * @throws {VmpkgError} `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN` `DOMAIN_STATE` `USAGE` `NAME_INVALID` `SNAPSHOT_EXISTS` `HOST_UNSUPPORTED`
 *   `NO_SPACE` `LIBVIRT_FAILED`
 */
export async function createSnapshot(workspace: Workspace, request: CreateRequest): Promise<CreatedSnapshot> {
  const connect = await workspace.connect()
  const machine = await getSnapshotMachine(connect, request.machine)
  const { domain } = machine
  const state = await readMachineState(domain)
  const name = chooseSnapshotName(state, request, workspace.outside.clock.now())
  await requireFit(state, request)
  const deep = chooseDeep(state)
  const nvram = state.nvram === undefined ? undefined : await readIfThere(state.nvram)
  const result: CreatedSnapshot = {
    machine: request.machine,
    name,
    memory: request.memory,
    disks: state.disks.map(({ target }) => target),
    nvram: nvram !== undefined,
    flattened: deep.map(({ target }) => target),
  }
  if (request.dryRun) return result
  const { overlays } = workspace.connectionPaths
  if (request.memory) await checkSpace(overlays, memoryOf(state.liveXml))
  return transact(
    workspace,
    { operation: 'snapshot-create', subject: `${name} of ${machine.name}` },
    async (transaction) => {
      workspace.outside.emit({ type: 'stage-started', stage: 'snapshot', subject: machine.name })
      intend(transaction, { kind: 'settle-snapshots', uuid: domain.uuid, files: [] })
      for (const disk of deep) await flatten(workspace, state, disk)
      const overlayOf = await writeOverlays(workspace, state)
      const memory = request.memory ? join(overlays, `${domain.uuid}.${snapshotKey(name)}.memory`) : undefined
      const isHeld =
        nvram !== undefined && state.isActive && !request.quiesce && (await domain.getState()).state === 'running'
      if (isHeld) {
        // What the guest writes into its flash between the two copies would be in one of them only.
        intend(transaction, { kind: 'resume-domain', uuid: domain.uuid })
        await domain.suspend()
      }
      if (state.nvram !== undefined && nvram !== undefined) {
        await copyDurably(state.nvram, join(overlays, `${domain.uuid}.${snapshotKey(name)}.nvram`))
      }
      await takeSnapshot(state, { ...request, name, memory, overlayOf })
      if (isHeld) await domain.resume()
      if (isHeld && request.memory) await recordRunning(state, name)
      await settleSnapshots(workspace, connect, { uuid: domain.uuid, files: [] })
      transaction.commit()
      workspace.outside.emit({ type: 'stage-finished', stage: 'snapshot', subject: machine.name })
      return result
    },
  )
}

/** Under a guest nothing is moved; it goes on until libvirt could read no more. @throws {VmpkgError} `DOMAIN_STATE` */
function chooseDeep({ domain, isActive, disks, files }: MachineState): readonly MachineDisk[] {
  const depthOf = ({ top }: MachineDisk): number => chainOf(files, top).length
  if (!isActive) return disks.filter((disk) => depthOf(disk) >= MOST_LAYERS)
  const full = disks.find((disk) => depthOf(disk) >= MOST_LIVE_LAYERS)
  if (full === undefined) return []
  throw new VmpkgError('DOMAIN_STATE', `The disk ${full.target} of ${domain.name} stands on ${depthOf(full)} files`, {
    hint: `Stop it (vmpkg stop ${domain.name}) and take the snapshot then: the chain begins anew.`,
  })
}

function chooseSnapshotName({ domain, snapshots }: MachineState, { name }: CreateRequest, now: Date): string {
  const taken = new Set(snapshots.map((one) => one.name))
  if (name === undefined) {
    const base = compactTime(now)
    for (let number = 1; ; number++) {
      const free = number === 1 ? base : `${base}-${number}`
      if (!taken.has(free)) return free
    }
  }
  const wanted = parseSnapshotName(name)
  if (!taken.has(wanted)) return wanted
  throw new VmpkgError('SNAPSHOT_EXISTS', `${domain.name} has a snapshot ${wanted} already`, {
    hint: `Choose another name, or delete that one first: vmpkg snapshot delete ${domain.name} ${wanted}`,
  })
}

async function requireFit(
  { domain, isActive, disks }: MachineState,
  { memory, quiesce }: CreateRequest,
): Promise<void> {
  const { name } = domain
  if (disks.length === 0) {
    throw new VmpkgError('USAGE', `${name} has no disk that it writes to, so there is nothing to keep`)
  }
  if (!isActive && (memory || quiesce)) {
    throw new VmpkgError('DOMAIN_STATE', `${name} is off: it has no memory, and no guest that could hold its writes`, {
      hint: 'Leave out --memory and --quiesce.',
    })
  }
  if (!isActive && (await domain.hasManagedSaveImage())) {
    throw new VmpkgError(
      'DOMAIN_STATE',
      `${name} sleeps: its saved memory would go on in a file that has to stay as it is`,
      {
        hint: `Start it first (vmpkg start ${name}), or drop its memory: virsh managedsave-remove ${name}.`,
      },
    )
  }
  if (memory && quiesce) {
    throw new VmpkgError('USAGE', 'With its memory in the snapshot nothing has to be written before', {
      hint: 'Leave out --quiesce or --memory.',
    })
  }
}

/** By target. */
async function writeOverlays(
  workspace: Workspace,
  { domain, disks, files }: MachineState,
): Promise<ReadonlyMap<string, string>> {
  const overlays = new Map<string, string>()
  for (const { target, top } of disks) {
    const path = join(layerFolder(workspace, top), `${domain.uuid}.${randomSuffix(workspace.outside.randomness)}.qcow2`)
    await writeOverlayOn(files.get(top), path)
    overlays.set(target, path)
  }
  return overlays
}

/** `s0123abcd` */
export function randomSuffix(randomness: Workspace['outside']['randomness']): string {
  return `s${Buffer.from(randomness.bytes(4)).toString('hex')}`
}

export async function writeOverlayOn(
  base: { readonly file: string; readonly format: 'raw' | 'qcow2'; readonly virtualSize: number } | undefined,
  path: string,
): Promise<void> {
  if (base === undefined) throw new TypeError('an overlay on nothing')
  await writeOverlay({ path, backing: base.file, backingFormat: base.format, virtualSize: base.virtualSize })
}

interface TakeRequest extends Pick<CreateRequest, 'description' | 'quiesce'> {
  readonly name: string
  /** The file that it goes to. */
  readonly memory: string | undefined
  readonly overlayOf: ReadonlyMap<string, string>
}

async function takeSnapshot(
  { domain, liveXml }: MachineState,
  { name, description, quiesce, memory, overlayOf }: TakeRequest,
): Promise<void> {
  const disks = readAllTargets(liveXml).map((target) => {
    const overlay = overlayOf.get(target)
    return overlay === undefined
      ? `<disk name='${escapeXml(target)}' snapshot='no'/>`
      : `<disk name='${escapeXml(target)}' snapshot='external'><driver type='qcow2'/><source file='${escapeXml(overlay)}'/></disk>`
  })
  const xml = `<domainsnapshot><name>${escapeXml(name)}</name>${
    description === undefined ? '' : `<description>${escapeXml(description)}</description>`
  }<memory ${memory === undefined ? "snapshot='no'" : `snapshot='external' file='${escapeXml(memory)}'`}/><disks>${disks.join('')}</disks></domainsnapshot>`
  try {
    await domain.snapshotCreateXML({
      xml,
      flags: [
        'atomic',
        'reuseExternal',
        ...(memory === undefined ? (['diskOnly'] as const) : []),
        ...(quiesce ? (['quiesce'] as const) : []),
      ],
    })
  } catch (cause) {
    const hint = quiesce
      ? 'The guest needs qemu-guest-agent, and the channel org.qemu.guest_agent.0; without it leave out --quiesce.'
      : `vmpkg doctor explains known errors; ${domain.name} is as it was.`
    throw explainLibvirt(`libvirt takes no snapshot of ${domain.name}`, hint, cause)
  }
}

function readAllTargets(domainXml: string): readonly string[] {
  return findElements(parseXml(domainXml).root, 'devices/disk').flatMap((disk) => {
    const target = findElement(disk, 'target')
    return (target && getAttribute(target, 'dev')) ?? []
  })
}

/** It ran but for the moment of the snapshot. */
async function recordRunning({ domain }: MachineState, name: string): Promise<void> {
  const snapshot = (await listSnapshots(domain)).find((one) => one.name === name)
  if (snapshot === undefined) return
  const document = parseXml(snapshot.xml)
  const state = findElement(document.root, 'state')
  if (state !== undefined) setText(state, 'running')
  await domain.snapshotCreateXML({ xml: formatXml(document), flags: ['redefine', 'current'] })
}

/** The active file takes in all down to the one that the machine began with; files of snapshots stay as branches. */
async function flatten(workspace: Workspace, { files }: MachineState, disk: MachineDisk): Promise<void> {
  const chain = chainOf(files, disk.top)
  const onto = chain.at(-1)
  const base = onto === undefined ? undefined : files.get(onto)
  if (onto === undefined || base === undefined) return
  await pullUp(files, { top: disk.top, onto }, workspace.outside)
}

async function readIfThere(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file)
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined // before its first start it has none
    throw error
  }
}

/** In full under its name, or not at all. */
export async function copyDurably(from: string, to: string): Promise<void> {
  await replaceFile(to, await readFile(from), { mode: 0o600 })
}

/** Bytes. */
function memoryOf(domainXml: string): number {
  const memory = findElement(parseXml(domainXml).root, 'memory')
  return memory === undefined ? 0 : Number(getText(memory)) * 1024 // libvirt says it in KiB
}
