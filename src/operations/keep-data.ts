/**
 * What a machine wrote to its data disks since its first snapshot lies in layers: in vmpkg's, which have the machine's name and
 * would go with it, and in those of virsh and virt-manager, which lie beside the data disk or where they were told. Before the
 * machine goes it is written down into the data disks, which outlive it. Safe to run twice, and after a kill at any moment: the
 * newest layer stays until the data disk has all that it holds.
 */
import { readdir, realpath, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { absent, readMachine } from '../domain/inventory.ts'
import { readDisks } from '../domain/points.ts'
import { destroyIfRunning, destroyOwnDomain } from '../domain/removal.ts'
import { syncFolder } from '../durable-file.ts'
import { type ErrorCode, isVmpkgError, systemErrorCode, VmpkgError } from '../errors.ts'
import { type ChainFile, readChain } from '../image/chain.ts'
import { pullUp, writeDown } from '../image/merge-layers.ts'
import type { Connect } from '../libvirt/connect.ts'
import { storageFolders } from '../state/storages.ts'
import { type DataVolume, listDataVolumes } from './data-file.ts'
import { type DiskUser, listDiskUsersIfPossible } from './disk-users.ts'
import { chainOf } from './snapshot-state.ts'
import type { Workspace } from './workspace.ts'

/**
 * Of a machine that is gone from libvirt, or about to go and off.
 * @param tops files that its definition names: they know best which layer it went on with
 * @throws {VmpkgError} `NO_SPACE` `IMAGE_IN_USE` `IMAGE_INVALID` `DISK_FAILED`, naming the data disk; its layers stay then
 */
export async function keepData(workspace: Workspace, uuid: string, tops: readonly string[] = []): Promise<void> {
  const volumes = await listDataVolumes(workspace)
  if (volumes.length === 0) return
  const layers = await listLayers(workspace, uuid, volumes)
  const files = new Map<string, ChainFile>()
  const [keys, named] = [new Set<string>(), new Set<string>()]
  // Half a header, no image, or a base that is gone: nobody has read from it.
  for (const file of layers) await note(file, keys, ['IMAGE_INVALID'])
  // What nobody here may read is a disk of the user's own, and stays: without layers of ours it is none of our business.
  for (const file of tops)
    await note(file, named, layers.length === 0 ? ['IMAGE_INVALID', 'NO_RIGHTS'] : ['IMAGE_INVALID'])
  let others: readonly DiskUser[] | undefined
  for (const volume of volumes) {
    const base = await realpath(volume.path).catch(() => undefined)
    if (base === undefined || !files.has(base)) continue
    const standsOn = (key: string): boolean => key !== base && chainOf(files, key).includes(base)
    const above = new Set([...named].filter(standsOn).flatMap((key) => aboveOf(files, key, base)))
    for (const key of keys) if (standsOn(key)) above.add(key)
    if (above.size === 0) continue
    // A layer beside it may be another machine's, that has the disk now.
    others ??= ((await listDiskUsersIfPossible(workspace)) ?? []).filter((user) => user.uuid !== uuid)
    if (others.some((user) => user.files.has(base))) continue
    const request = { files, base, above: [...above], named, isOurs: (key: string) => keys.has(key) }
    await writeNewest(workspace, volume, request).catch((error: unknown) => explain(volume, error))
  }

  async function note(file: string, found: Set<string>, fine: readonly ErrorCode[]): Promise<void> {
    try {
      found.add(await readChain({ file, format: 'qcow2' }, files))
    } catch (error) {
      if (!isVmpkgError(error, ...fine)) throw error
    }
  }
}

/** The domain goes, and nothing that was written to its data disks with it. */
export async function destroyKeepingData(workspace: Workspace, connect: Connect, uuid: string): Promise<void> {
  const domain = await connect.domainLookupByUuid({ uuid }).catch(absent('noDomain'))
  const machine = domain === undefined ? undefined : await readMachine(domain)
  if (domain !== undefined && machine?.facts.ephemeral === false) {
    await destroyIfRunning(domain)
    const tops = readDisks(machine.xml).flatMap(({ file, format }) =>
      file === undefined || format !== 'qcow2' ? [] : [file],
    )
    await keepData(workspace, uuid, tops)
  }
  await destroyOwnDomain(connect, uuid)
}

/** A file and those that it stands on, down to the data disk. */
function aboveOf(files: ReadonlyMap<string, ChainFile>, key: string, base: string): readonly string[] {
  const chain = chainOf(files, key)
  return chain.slice(0, chain.indexOf(base))
}

/**
 * What a machine without snapshots, which is off, has in layers above a data disk goes into it.
 * @param top as its definition names it
 * @returns what removes the layers, once nobody names them any more
 */
export async function writeIntoData(
  { outside }: Workspace,
  volume: DataVolume,
  top: string,
): Promise<() => Promise<void>> {
  const files = new Map<string, ChainFile>()
  try {
    const key = await readChain({ file: top, format: 'qcow2' }, files)
    const base = await realpath(volume.path)
    const chain = chainOf(files, key)
    const above = chain.slice(0, chain.indexOf(base))
    if (above.length > 1) {
      await pullUp(files, { top: key, onto: base }, outside)
      files.set(key, { ...(files.get(key) as ChainFile), backing: base })
    }
    if (above.length > 0) await writeDown(files, { upper: key, layer: base }, outside)
    return async () => {
      for (const layer of above) await removeDurably(layer)
    }
  } catch (error) {
    return explain(volume, error)
  }
}

interface Newest {
  readonly files: Map<string, ChainFile>
  /** The data disk. */
  readonly base: string
  readonly above: readonly string[]
  /** Those that a definition names. */
  readonly named: ReadonlySet<string>
  /** In a folder of vmpkg. */
  readonly isOurs: (key: string) => boolean
}

/** The file that the machine went on with is the one that was written to last: an older branch is written to no more. */
async function writeNewest(
  { outside }: Workspace,
  { name, data }: DataVolume,
  { files, base, above, named, isOurs }: Newest,
): Promise<void> {
  const below = new Set([...files.values()].map(({ backing }) => backing))
  const timeOf = (key: string): number => files.get(key)?.modified.getTime() ?? 0
  const leaves = above.filter((key) => !below.has(key)).toSorted((a, b) => timeOf(b) - timeOf(a))
  const newest = above.find((key) => named.has(key)) ?? leaves[0]
  const top = newest === undefined ? undefined : files.get(newest)
  if (newest === undefined || top === undefined) return
  outside.emit({ type: 'noted', message: `Writing what snapshots of ${name} left of its data disk ${data} into it` })
  if (top.backing !== base) {
    await pullUp(files, { top: newest, onto: base }, outside)
    files.set(newest, { ...top, backing: base })
  }
  // Others first: from here on the newest is the only one that stands on the disk, whenever this is cut short.
  for (const key of above) if (key !== newest) await leaveLayer(key)
  await writeDown(files, { upper: newest, layer: base }, outside)
  await leaveLayer(newest)

  async function leaveLayer(key: string): Promise<void> {
    if (isOurs(key)) return removeDurably(key)
    outside.emit({ type: 'noted', message: `${key} is needed no more: what it held is in that data disk` })
  }
}

async function removeDurably(path: string): Promise<void> {
  await rm(path, { force: true })
  await syncFolder(join(path, '..'))
}

/** What may be a layer of the machine: files that have its UUID, and those that libvirt names after a data disk, `work.home.NAME`. */
async function listLayers(
  { connectionPaths }: Workspace,
  uuid: string,
  volumes: readonly DataVolume[],
): Promise<readonly string[]> {
  const disks = new Set(volumes.map(({ path }) => path))
  const begins = [`${uuid}.`, ...volumes.map(({ name, data }) => `${name}.${data}.`)]
  const found: string[] = []
  for (const folder of [connectionPaths.overlays, connectionPaths.data, ...storageFolders(connectionPaths)]) {
    const names = await readdir(folder).catch((error: unknown) => {
      if (systemErrorCode(error) === 'ENOENT') return []
      throw error
    })
    const own = names.filter((name) => begins.some((begin) => name.startsWith(begin)))
    found.push(...own.map((name) => join(folder, name)).filter((path) => !disks.has(path)))
  }
  return found
}

function explain({ name, data }: DataVolume, cause: unknown): never {
  if (!isVmpkgError(cause) || cause.code === 'ABORTED') throw cause
  throw new VmpkgError(cause.code, `The data disk ${data} of ${name} is not whole yet: ${cause.message}`, {
    hint: `Nothing of it is lost: its layers stay. ${cause.hint ?? ''} Then run: vmpkg gc`.replaceAll(/ +/g, ' '),
    cause,
    details: { name, data },
  })
}
