/**
 * What a machine wrote to its data disks since its first snapshot lies in layers that have the machine's name, and would go
 * with it. Before they go it is written down into the data disks, which outlive the machine. Safe to run twice, and after a
 * kill at any moment: the newest layer stays until the data disk has all that it holds.
 */
import { readdir, realpath, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { syncFolder } from '../durable-file.ts'
import { isVmpkgError, systemErrorCode, VmpkgError } from '../errors.ts'
import { type ChainFile, readChain } from '../image/chain.ts'
import { pullUp, writeDown } from '../image/merge-layers.ts'
import { storageFolders } from '../state/storages.ts'
import { type DataVolume, listDataVolumes } from './data-file.ts'
import { chainOf } from './snapshot-state.ts'
import type { Workspace } from './workspace.ts'

/** Overlays of snapshots; `UUID.qcow2` is the machine's own disk, and stands on an image. */
const LAYER = /^\.s[0-9a-f]{8}\.qcow2$/

/**
 * Of a machine that is gone from libvirt, or off.
 * @throws {VmpkgError} `NO_SPACE` `IMAGE_IN_USE` `IMAGE_INVALID` `DISK_FAILED`, naming the data disk; its layers stay then
 */
export async function keepData(workspace: Workspace, uuid: string): Promise<void> {
  const layers = await listLayers(workspace, uuid)
  if (layers.length === 0) return
  const files = new Map<string, ChainFile>()
  const keys: string[] = []
  for (const file of layers) {
    const key = await readChain({ file, format: 'qcow2' }, files).catch((error: unknown) => {
      if (!isVmpkgError(error, 'IMAGE_INVALID')) throw error
      return undefined // half a header, or a base that is gone: nobody has read from it
    })
    if (key !== undefined) keys.push(key)
  }
  for (const volume of await listDataVolumes(workspace)) {
    const base = await realpath(volume.path).catch(() => undefined)
    if (base === undefined || !files.has(base)) continue
    const above = keys.filter((key) => key !== base && chainOf(files, key).includes(base))
    await writeNewest(workspace, volume, { files, base, above }).catch((error: unknown) => explain(volume, error))
  }
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

/** The file that the machine went on with is the one that was written to last: an older branch is written to no more. */
async function writeNewest(
  { outside }: Workspace,
  { name, data }: DataVolume,
  {
    files,
    base,
    above,
  }: { readonly files: Map<string, ChainFile>; readonly base: string; readonly above: readonly string[] },
): Promise<void> {
  const below = new Set([...files.values()].map(({ backing }) => backing))
  const timeOf = (key: string): number => files.get(key)?.modified.getTime() ?? 0
  const [newest] = above.filter((key) => !below.has(key)).toSorted((a, b) => timeOf(b) - timeOf(a))
  const top = newest === undefined ? undefined : files.get(newest)
  if (newest === undefined || top === undefined) return
  outside.emit({ type: 'noted', message: `Writing what snapshots of ${name} left of its data disk ${data} into it` })
  if (top.backing !== base) {
    await pullUp(files, { top: newest, onto: base }, outside)
    files.set(newest, { ...top, backing: base })
  }
  // Others first: from here on the newest is the only one that stands on the disk, whenever this is cut short.
  for (const key of above) if (key !== newest) await removeDurably(key)
  await writeDown(files, { upper: newest, layer: base }, outside)
  await removeDurably(newest)
}

async function removeDurably(path: string): Promise<void> {
  await rm(path, { force: true })
  await syncFolder(join(path, '..'))
}

async function listLayers({ connectionPaths }: Workspace, uuid: string): Promise<readonly string[]> {
  const found: string[] = []
  for (const folder of [connectionPaths.overlays, ...storageFolders(connectionPaths)]) {
    const names = await readdir(folder).catch((error: unknown) => {
      if (systemErrorCode(error) === 'ENOENT') return []
      throw error
    })
    const own = names.filter((name) => name.startsWith(uuid) && LAYER.test(name.slice(uuid.length)))
    found.push(...own.map((name) => join(folder, name)))
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
