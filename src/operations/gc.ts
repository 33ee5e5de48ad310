/**
 * Finds and removes what nobody uses: files of domains that are gone, mediums that were replaced, package files, unfinished
 * downloads, and images that nothing refers to. Whatever an installed package, a clone, a running machine, the history or
 * an open download needs has a holder and stays, and so does whatever a domain names, its snapshots or what its disks stand on,
 * whoever defined it (threats L04).
 */
import { lstat, readdir, realpath, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { listDiskSecrets } from '../domain/disk-secret.ts'
import { listMachines } from '../domain/inventory.ts'
import { isVmpkgError, systemErrorCode } from '../errors.ts'
import { ImageStore } from '../image/store.ts'
import type { Connect } from '../libvirt/connect.ts'
import { LibvirtError } from '../libvirt/error.ts'
import { isSha256, type Sha256 } from '../model/digest.ts'
import { completeKeyFolder, findUnfinishedKeyFiles } from '../publish/key-folder.ts'
import { readDomainFacts } from '../render/facts-xml.ts'
import { type Leased, withLeased } from '../state/downloads.ts'
import { listDiskUsers, listDiskUsersIfPossible } from './disk-users.ts'
import { expireHistory, releaseObjects, runningHeld, runningHolder } from './holders.ts'
import { tidySilence } from './host-silence.ts'
import { keyFolder } from './key-folder.ts'
import { listEphemeralOwners, listMachineFileOwners, listOldMediums } from './machine-files.ts'
import { listUnusedArchives } from './package-store.ts'
import { discardStale } from './pool.ts'
import { endUnattended, listOwnMembers, listUnattended } from './pool-relief.ts'
import { findAbandonedScratch } from './scratch.ts'
import { settleSnapshots } from './snapshot-settle.ts'
import { listOwnFiles } from './snapshot-state.ts'
import { tidySources } from './source-tidy.ts'
import { sourceStore } from './sources.ts'
import { findAbandonedSsh } from './ssh-leftovers.ts'
import { forgetClone } from './stop.ts'
import { listOwnVolumes } from './storage-volumes.ts'
import type { Workspace } from './workspace.ts'

export interface Removed {
  readonly what:
    | 'files of a vanished machine'
    | 'replaced medium'
    | 'machine of a pool'
    | 'machine without its command'
    | 'layer of a deleted snapshot'
    | 'package file'
    | 'unfinished download'
    | 'image'
    | 'unfinished or unused file'
  readonly subject: string
  /** On disk. */
  readonly bytes: number
}

export interface GarbageOptions {
  readonly dryRun: boolean
  /** Also what `vmpkg download` fetched for later stays. */
  readonly keepDownloads?: boolean
  /** Holders that do not count, as those of the history for `clean`. */
  readonly without?: readonly string[]
}

/** What dead commands left has been undone already when the workspace was opened for writing. */
export async function collectGarbage(workspace: Workspace, options: GarbageOptions): Promise<readonly Removed[]> {
  const { dryRun, keepDownloads = false, without = [] } = options
  if (!dryRun) expireHistory(workspace)
  const pools = await collectPools(workspace, dryRun)
  const removed = [...pools, ...(await collectMachineFiles(workspace, dryRun))]
  const unfinished = await collectUnfinished(workspace, dryRun)
  if (!dryRun) await tidyHost(workspace)
  const { paths, command, outside } = workspace
  const leases = { folder: paths.downloads, command, signal: outside.signal }
  return withLeased({ ...leases, dropKept: !keepDownloads && !dryRun, ignoreKept: !keepDownloads }, async (leased) => [
    ...removed,
    ...unfinished,
    ...(await collectArchives(workspace, dryRun, leased, without)),
    ...(await collectImages(workspace, dryRun, leased, without)),
  ])
}

/** Members that nobody finishes any more, and those that are not what would be made now. */
async function collectPools(workspace: Workspace, dryRun: boolean): Promise<readonly Removed[]> {
  const connect = await connectIfPossible(workspace)
  if (connect === undefined) return []
  const before = [...(await listUnattended(workspace, connect)), ...(await listOwnMembers(workspace, connect))]
  const dropped = before.length === 0 ? [] : await discardStale(workspace, connect, dryRun)
  return dropped.map((subject) => ({ what: 'machine of a pool', subject, bytes: 0 }))
}

/** Rules that name networks which are gone, where libvirt answers. */
async function tidyHost(workspace: Workspace): Promise<void> {
  const connect = await connectIfPossible(workspace)
  if (connect !== undefined) await tidySilence(workspace, connect)
}

async function connectIfPossible(workspace: Workspace): Promise<Connect | undefined> {
  try {
    return await workspace.connectIfRunning()
  } catch (error) {
    if (isVmpkgError(error, 'LIBVIRT_UNREACHABLE')) return undefined
    throw error
  }
}

/**
 * Before a machine is made, and when one has ended: what ephemeral ones left that ended by themselves, by a crash or with the
 * power. Of machines that are kept nothing is touched here.
 */
export async function collectVanished(workspace: Workspace): Promise<void> {
  await endUnattended(workspace, await workspace.connect())
  for (const uuid of await listVanished(workspace, await workspace.connect())) {
    await forgetClone(workspace, uuid)
    workspace.outside.emit({
      type: 'stage-finished',
      stage: 'recover',
      subject: 'what an ephemeral machine left that is gone',
    })
  }
}

/**
 * Only that, and nothing else that `collectGarbage` removes. The caller holds the lock where it is no dry run.
 * Without a libvirt that answers nothing can be said of machines, and nothing is done.
 */
export async function collectEnded(workspace: Workspace, dryRun: boolean): Promise<readonly Removed[]> {
  const connect = await connectIfPossible(workspace)
  if (connect === undefined) return []
  const unattended = await listUnattended(workspace, connect)
  const vanished = await listVanished(workspace, connect)
  if (!dryRun) await collectVanished(workspace)
  return [
    ...unattended.map(({ domain }) => ({
      what: 'machine without its command' as const,
      subject: domain.uuid,
      bytes: 0,
    })),
    ...vanished.map((subject) => ({ what: 'files of a vanished machine' as const, subject, bytes: 0 })),
  ]
}

/** UUIDs of ephemeral machines that are gone, and something of them is not. */
export async function listVanished(workspace: Workspace, connect: Connect): Promise<readonly string[]> {
  const owners = await listEphemeralOwners(workspace.connectionPaths)
  const secrets = await listDiskSecrets(connect)
  if (owners.size + secrets.length === 0) return []
  const living = new Set((await connect.listAllDomains()).map(({ uuid }) => uuid))
  return [...new Set([...owners, ...secrets])].filter((uuid) => !living.has(uuid))
}

async function collectMachineFiles(workspace: Workspace, dryRun: boolean): Promise<readonly Removed[]> {
  const removed: Removed[] = []
  const volumes = await listOwnVolumes(workspace)
  const filed = new Set([
    ...(await listMachineFileOwners(workspace.connectionPaths)),
    ...volumes.flatMap(({ machine }) => machine ?? []),
    ...clonesWithImages(workspace),
  ])
  const held = runningHeld(workspace)
  const reachable = filed.size + held.length === 0 ? await connectIfPossible(workspace) : await workspace.connect()
  if (reachable === undefined) return removed
  const connect = reachable
  const owners = new Set([...filed, ...(await listDiskSecrets(connect))])
  if (owners.size + held.length === 0) return removed
  // Every domain counts, also one whose metadata somebody has removed: its disk is not ours to take.
  const living = new Set((await connect.listAllDomains()).map(({ uuid }) => uuid))
  const vanished = [...owners].filter((uuid) => !living.has(uuid))
  // A domain that was defined anew under another UUID still has its disk in a file of the old one's name.
  const users = vanished.length === 0 ? [] : await listDiskUsers(connect)
  const named = new Set(users.flatMap(({ files }) => [...files].map((file) => basename(file).slice(0, 36))))
  for (const { machine, path } of vanished.length === 0 ? [] : volumes) {
    const device = await realpath(path).catch(() => path)
    if (machine !== undefined && users.some(({ files }) => files.has(device))) named.add(machine)
  }
  for (const uuid of vanished) {
    if (named.has(uuid)) continue
    if (!dryRun) await forgetClone(workspace, uuid)
    removed.push({ what: 'files of a vanished machine', subject: uuid, bytes: 0 })
  }
  for (const path of await findOldMediums(workspace, connect)) {
    const { size } = await lstat(path)
    if (!dryRun) await rm(path, { force: true })
    removed.push({ what: 'replaced medium', subject: path, bytes: size })
  }
  if (!dryRun) await releaseStopped(workspace, connect, held)
  for (const uuid of dryRun ? [] : owners) {
    if (vanished.includes(uuid)) continue
    for (const path of await settleIfPossible(workspace, connect, uuid)) {
      removed.push({ what: 'layer of a deleted snapshot', subject: path, bytes: 0 })
    }
  }
  return removed
}

/** What waited until the machine is off, and what virsh did to its snapshots. A machine with a fault keeps nobody's garbage. */
async function settleIfPossible(workspace: Workspace, connect: Connect, uuid: string): Promise<readonly string[]> {
  if ((await listOwnFiles(workspace, uuid)).length === 0) return []
  try {
    const { removed } = await settleSnapshots(workspace, connect, { uuid, files: [] })
    return removed
  } catch (cause) {
    const code = isVmpkgError(cause) ? cause.code : cause instanceof LibvirtError ? 'LIBVIRT_FAILED' : undefined
    if (code === undefined || code === 'ABORTED' || !(cause instanceof Error)) throw cause
    workspace.outside.emit({ type: 'warned', code, message: cause.message })
    return []
  }
}

/** What killed commands left besides machines: half-written files, scratch folders, and what belonged to a removed source. */
async function collectUnfinished(workspace: Workspace, dryRun: boolean): Promise<readonly Removed[]> {
  const { state } = workspace.paths
  const keys = keyFolder(workspace, undefined)
  const own: string[] = []
  for (const folder of [state, dirname(workspace.paths.preferences), workspace.connectionPaths.folder]) {
    const names = await readdir(folder).catch((error: unknown): string[] => {
      if (systemErrorCode(error) === 'ENOENT') return []
      throw error
    })
    own.push(...names.filter((name) => name.endsWith('.tmp')).map((name) => join(folder, name)))
  }
  const abandoned = [...(await findAbandonedScratch(workspace)), ...(await findAbandonedSsh(workspace.connectionPaths))]
  const left = [...own, ...abandoned]
  const others = [...(await sourceStore(workspace).findUnused()), ...(await findUnfinishedKeyFiles(keys))]
  const removed: Removed[] = []
  for (const path of [...left, ...others]) {
    const bytes = await lstat(path).then(
      ({ size }) => size,
      () => 0,
    )
    removed.push({ what: 'unfinished or unused file', subject: path, bytes })
  }
  if (dryRun) return removed
  for (const path of left) await rm(path, { recursive: true, force: true })
  await tidySources(workspace)
  await completeKeyFolder(keys)
  return removed
}

/** UUIDs of clones that hold an image, whether they have files or not. */
function clonesWithImages({ imageReferences }: Workspace): readonly string[] {
  return imageReferences.holders().flatMap((holder) => /^clone ([0-9a-f-]{36})$/.exec(holder)?.[1] ?? [])
}

/** Mediums of our routers that neither the definition nor the running machine names. */
async function findOldMediums(workspace: Workspace, connect: Connect): Promise<readonly string[]> {
  const found: string[] = []
  for (const { domain, facts } of await listMachines(connect)) {
    if (facts.kind !== 'router' || facts.medium === undefined) continue
    const running = readDomainFacts(await domain.getXMLDesc())?.medium
    const keep = [facts.medium, running].filter((path) => path !== undefined)
    found.push(...(await listOldMediums(workspace.connectionPaths, domain.uuid, keep)))
  }
  return found
}

/** A machine that was stopped or restarted meanwhile no longer needs what it was upgraded from. */
async function releaseStopped(workspace: Workspace, connect: Connect, held: readonly string[]): Promise<void> {
  const machines = await listMachines(connect)
  for (const uuid of held) {
    const machine = machines.find(({ domain }) => domain.uuid === uuid)
    const running = machine === undefined ? undefined : readDomainFacts(await machine.domain.getXMLDesc())
    const isBehind = running !== undefined && running.digest !== machine?.facts.digest
    if (!isBehind) releaseObjects(workspace, runningHolder(uuid))
  }
}

async function collectArchives(
  workspace: Workspace,
  dryRun: boolean,
  leased: Leased,
  without: readonly string[],
): Promise<readonly Removed[]> {
  const removed: Removed[] = []
  for (const name of await listUnusedArchives(workspace, leased.archives, without)) {
    const path = join(workspace.paths.packages, name)
    const { blocks } = await lstat(path)
    if (!dryRun) await rm(path, { force: true, recursive: true })
    removed.push({ what: 'package file', subject: name, bytes: blocks * 512 })
  }
  return removed
}

async function collectImages(
  workspace: Workspace,
  dryRun: boolean,
  leased: Leased,
  without: readonly string[],
): Promise<readonly Removed[]> {
  const store = new ImageStore(workspace.paths.images)
  const held = workspace.imageReferences.referenced(without)
  const referenced = {
    images: new Set([...held.images, ...leased.images]),
    maps: new Set([...held.maps, ...leased.maps]),
  }
  const unheld = await store.listUnreferenced(referenced)
  if (unheld.some(({ isComplete }) => isComplete)) {
    for (const digest of await listNamedImages(workspace)) referenced.images.add(digest)
  }
  const orphans = await store.listUnreferenced(referenced)
  if (!dryRun) await store.removeUnreferenced(referenced)
  return orphans.map(({ name, bytes, isComplete }) => ({
    what: isComplete ? 'image' : 'unfinished download',
    subject: name,
    bytes,
  }))
}

/** Images that domains name themselves or stand on, as after `virt-clone` of a clone; only those of the connection are seen. */
async function listNamedImages(workspace: Workspace): Promise<readonly Sha256[]> {
  const folder = await realpath(workspace.paths.images)
  const users = (await listDiskUsersIfPossible(workspace)) ?? []
  const files = users.flatMap((user) => [...user.files]).filter((file) => dirname(file) === folder)
  return files.map((file) => basename(file)).filter(isSha256)
}
