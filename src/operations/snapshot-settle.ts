/**
 * Brings the files of a machine in step with the snapshots that libvirt lists: whatever no disk and no snapshot needs goes,
 * layers of deleted snapshots are merged, and libvirt is told which snapshot the disks stand on. All of it follows from
 * libvirt and from the headers of the files, so it is the undo of every snapshot verb and can be run at any time.
 */
import { rm } from 'node:fs/promises'
import { placeDisks } from '../domain/disk-chain.ts'
import { absent, readMachine } from '../domain/inventory.ts'
import { readDisks } from '../domain/points.ts'
import { throwIfAborted } from '../domain/readiness.ts'
import { descendantsOf, isInternal, type SnapshotFacts, snapshotKey } from '../domain/snapshot.ts'
import { isVmpkgError } from '../errors.ts'
import { readChain } from '../image/chain.ts'
import { mergeDown } from '../image/merge-layers.ts'
import type { Connect } from '../libvirt/connect.ts'
import { setAttribute } from '../xml/edit.ts'
import { findElement, findElements, getAttribute } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import { formatXml } from '../xml/tree.ts'
import { listDiskUsers, pathsIn } from './disk-users.ts'
import { chainOf, listOwnFiles, type MachineState, readMachineState, storeOf } from './snapshot-state.ts'
import type { Workspace } from './workspace.ts'

export interface SettleRequest {
  readonly uuid: string
  /** Files of deleted snapshots that others than vmpkg named. */
  readonly files: readonly string[]
}

export interface SettledSnapshots {
  /** Names of layers that stay until the machine is off. */
  readonly waiting: readonly string[]
  /** Removed, and merged into what stands on them. */
  readonly removed: readonly string[]
}

const NOTHING: SettledSnapshots = { waiting: [], removed: [] }

/** @throws {VmpkgError} what reading and merging of images throws, and what libvirt refuses */
export async function settleSnapshots(
  workspace: Workspace,
  connect: Connect,
  { uuid, files }: SettleRequest,
): Promise<SettledSnapshots> {
  const domain = await connect.domainLookupByUuid({ uuid }).catch(absent('noDomain'))
  if (domain === undefined) return NOTHING
  const machine = await readMachine(domain)
  // A transient domain has no definition that could go on with another file.
  if (machine === undefined || !(await domain.isPersistent())) return NOTHING
  if (!canHaveLayers(machine.xml)) return NOTHING
  const state = await readMachineState(domain)
  const settled = await tidyLayers(workspace, connect, state, new Set(files))
  await tidyCopies(workspace, state)
  const after = settled.removed.length === 0 ? state : await readMachineState(domain)
  await writeChain(workspace, connect, after)
  await markCurrent(after)
  return settled
}

/** Of encrypted disks and of those on devices no snapshot is made. */
function canHaveLayers(xml: string): boolean {
  const { root } = parseXml(xml)
  const isFile = readDisks(xml).every(({ type, isReadonly }) => isReadonly || type === 'file')
  return isFile && findElements(root, 'devices/disk/source/encryption').length === 0
}

/** Names that vmpkg gives to the overlays of a machine; those of others are touched only when they are named. */
const OVERLAY = /^[0-9a-f-]{36}(?:\.s[0-9a-f]{8})?\.qcow2$/

async function tidyLayers(
  workspace: Workspace,
  connect: Connect,
  state: MachineState,
  extra: ReadonlySet<string>,
): Promise<SettledSnapshots> {
  const { domain, files, isActive, disks, snapshots, keyOf } = state
  const own = (await listOwnFiles(workspace, domain.uuid)).filter(
    ({ name, key }) => OVERLAY.test(name) || extra.has(key),
  )
  for (const { key } of own) {
    // Half a header is what a killed command left: it has nobody above it.
    await readChain({ file: key, format: 'qcow2' }, files).catch((error: unknown) => {
      if (!isVmpkgError(error, 'IMAGE_INVALID')) throw error
    })
  }
  const users = (await listDiskUsers(connect)).filter(({ uuid }) => uuid !== domain.uuid)
  const foreign = new Set(users.flatMap((user) => [...user.files]))
  const named = new Set<string | undefined>(disks.map(({ top }) => top))
  for (const { file } of readDisks(state.xml)) if (file !== undefined) named.add(keyOf(file))
  for (const { disks: before } of snapshots) for (const { file } of before) named.add(keyOf(file))
  const live = new Set(isActive ? disks.flatMap(({ top }) => chainOf(files, top)) : [])
  const removable = new Set(own.map(({ key }) => key).filter((key) => !named.has(key) && !foreign.has(key)))
  const ours = new Set(own.map(({ key }) => key))
  const removed: string[] = []
  const waiting = new Set<string>()
  for (let isChanged = true; isChanged; ) {
    isChanged = false
    for (const layer of removable) {
      throwIfAborted(workspace.outside.signal)
      const above = [...files].filter(([, { backing }]) => backing === layer).map(([key]) => key)
      const [upper] = above
      if (above.length > 1) continue
      if (upper !== undefined && (!ours.has(upper) || foreign.has(upper) || holdsInternal(files, upper))) continue
      // QEMU may end before it has written down what a pull brought, so that nothing is merged under a guest.
      if (upper !== undefined && live.has(upper)) {
        waiting.add(layer)
        continue
      }
      if (upper === undefined) await rm(layer, { force: true })
      else await mergeDown(files, { upper, layer }, workspace.outside)
      const gone = files.get(layer)
      const stays = upper === undefined ? undefined : files.get(upper)
      if (upper !== undefined && stays !== undefined) files.set(upper, { ...stays, backing: gone?.backing })
      files.delete(layer)
      removable.delete(layer)
      waiting.delete(layer)
      removed.push(layer)
      isChanged = true
    }
  }
  return { removed, waiting: [...waiting] }
}

/** They would be lost with the file, whose content alone goes down. */
function holdsInternal(files: MachineState['files'], key: string): boolean {
  return (files.get(key)?.snapshots.length ?? 0) > 0
}

const COPY = /^[0-9a-f-]{36}\.([0-9a-f]{12})\.(?:nvram|memory)$/
const VARIABLES = /^[0-9a-f-]{36}(?:\.s[0-9a-f]{8})?\.nvram$/

/** Memory and firmware variables of snapshots that are gone, and variables that no definition names any more. */
async function tidyCopies(workspace: Workspace, { domain, xml, liveXml, snapshots }: MachineState): Promise<void> {
  const keys = new Set(snapshots.map(({ name }) => snapshotKey(name)))
  const named = new Set([xml, liveXml, ...snapshots.map((one) => one.xml)].flatMap(pathsIn))
  for (const { name, key } of await listOwnFiles(workspace, domain.uuid)) {
    const copy = COPY.exec(name)?.[1]
    const isUnused = copy === undefined ? VARIABLES.test(name) && !isNamed(named, name) : !keys.has(copy)
    if (isUnused || /\.[0-9a-f-]{36}\.tmp$/.test(name)) await rm(key, { force: true })
  }
}

function isNamed(paths: ReadonlySet<string>, name: string): boolean {
  return [...paths].some((path) => path.endsWith(`/${name}`))
}

/** The definition names the whole chain, with the labels that keep libvirt from changing owners in the image store. */
async function writeChain(workspace: Workspace, connect: Connect, { xml, files, keyOf }: MachineState): Promise<void> {
  const isShared = await storeOf(workspace)
  const tops = new Map<string, string>()
  for (const disk of findElements(parseXml(xml).root, 'devices/disk')) {
    const [target, source] = [findElement(disk, 'target'), findElement(disk, 'source')]
    const file = source && getAttribute(source, 'file')
    const key = file === undefined ? undefined : keyOf(file)
    // A disk that stands on nothing needs no chain, and a user's own stays as it was written.
    if (target !== undefined && key !== undefined && files.get(key)?.backing !== undefined) {
      tops.set(getAttribute(target, 'dev') ?? '', key)
    }
  }
  const wanted = placeDisks(xml, { files, tops, isShared })
  if (wanted !== xml) await connect.domainDefineXML({ xml: wanted })
}

/** The current snapshot is the one whose file the disks stand on; what libvirt says of internal ones is its own. */
async function markCurrent({ domain, disks, files, snapshots, current, keyOf }: MachineState): Promise<void> {
  const [disk] = disks
  if (disk === undefined) return
  const below = files.get(disk.top)?.backing
  const frozen = (one: SnapshotFacts): string | undefined => {
    const own = one.disks.find(({ target, kind }) => target === disk.target && kind === 'external')
    return own === undefined ? undefined : keyOf(own.file)
  }
  const now = snapshots.find(({ name }) => name === current)
  const isInside = now !== undefined && isInternal(now) && now.disks.some(({ file }) => keyOf(file) === disk.top)
  const base = snapshots.find((one) => below !== undefined && frozen(one) === below)
  if (base === undefined || isInside) return
  const goesOn = descendantsOf(snapshots, base.name).length > 0
  const wanted = goesOn ? base.xml : withOverlays(base, disks, files)
  if (base.name === current && wanted === base.xml) return
  await domain.snapshotCreateXML({ xml: wanted, flags: ['redefine', 'current'] })
}

/** A snapshot that nothing follows from goes on in the files that the disks have now: libvirt's own delete looks there. */
function withOverlays({ xml }: SnapshotFacts, disks: MachineState['disks'], files: MachineState['files']): string {
  const document = parseXml(xml)
  for (const disk of findElements(document.root, 'disks/disk')) {
    const name = getAttribute(disk, 'name')
    const top = disks.find(({ target }) => target === name)?.top
    const source = findElement(disk, 'source')
    const file = top === undefined ? undefined : files.get(top)?.file
    if (source !== undefined && file !== undefined && getAttribute(disk, 'snapshot') === 'external') {
      setAttribute(source, 'file', file)
    }
  }
  return formatXml(document)
}
