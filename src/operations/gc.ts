/** Finds and removes what nobody uses: files of domains that are gone, package files, and images that nothing refers to. */
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ImageStore } from '../image/store.ts'
import { completeKeyFolder, findUnfinishedKeyFiles } from '../publish/key-folder.ts'
import { withLeased } from '../state/downloads.ts'
import { keyFolder } from './key-folder.ts'
import { listMachineFileOwners } from './machine-files.ts'
import { listUnusedArchives } from './package-store.ts'
import { findAbandonedScratch } from './scratch.ts'
import { tidySources } from './source-tidy.ts'
import { sourceStore } from './sources.ts'
import { forgetClone } from './stop.ts'
import type { Workspace } from './workspace.ts'

export interface Removed {
  readonly what: 'files of a vanished machine' | 'package file' | 'image' | 'unfinished or unused file'
  readonly subject: string
}

/**
 * What dead commands left has been undone already when the workspace was opened for writing. What a running download needs
 * stays (threats L04), and with `keepDownloads` also what `vmpkg download` fetched for later.
 */
export async function collectGarbage(
  workspace: Workspace,
  { dryRun, keepDownloads = false }: { readonly dryRun: boolean; readonly keepDownloads?: boolean },
): Promise<readonly Removed[]> {
  const removed: Removed[] = []
  const owners = new Set([...(await listMachineFileOwners(workspace.connectionPaths)), ...clonesWithImages(workspace)])
  if (owners.size > 0) {
    const connect = await workspace.connect()
    // Every domain counts, also one whose metadata somebody has removed: its disk is not ours to take.
    const living = new Set((await connect.listAllDomains()).map(({ uuid }) => uuid))
    for (const uuid of owners) {
      if (living.has(uuid)) continue
      if (!dryRun) await forgetClone(workspace, uuid)
      removed.push({ what: 'files of a vanished machine', subject: uuid })
    }
  }
  await collectUnfinished(workspace, dryRun, removed)
  const { paths, command, outside } = workspace
  const leases = { folder: paths.downloads, command, signal: outside.signal }
  await withLeased({ ...leases, dropKept: !keepDownloads && !dryRun, ignoreKept: !keepDownloads }, async (leased) => {
    for (const name of await listUnusedArchives(workspace, leased.archives)) {
      if (!dryRun) await rm(join(paths.packages, name), { force: true })
      removed.push({ what: 'package file', subject: name })
    }
    const store = new ImageStore(paths.images)
    const held = workspace.imageReferences.referenced()
    const referenced = {
      images: new Set([...held.images, ...leased.images]),
      maps: new Set([...held.maps, ...leased.maps]),
    }
    const orphans = (await store.list()).filter((digest) => !referenced.images.has(digest))
    if (!dryRun) await store.removeUnreferenced(referenced)
    removed.push(...orphans.map((subject) => ({ what: 'image', subject }) as const))
  })
  return removed
}

/** What killed commands left besides machines: half-written files, scratch folders, and what belonged to a removed source. */
async function collectUnfinished(workspace: Workspace, dryRun: boolean, removed: Removed[]): Promise<void> {
  const { state } = workspace.paths
  const keys = keyFolder(workspace, undefined)
  const own = (await readdir(state)).filter((name) => name.endsWith('.tmp')).map((name) => join(state, name))
  const left = [...own, ...(await findAbandonedScratch(workspace))]
  const others = [...(await sourceStore(workspace).findUnused()), ...(await findUnfinishedKeyFiles(keys))]
  removed.push(...[...left, ...others].map((subject) => ({ what: 'unfinished or unused file', subject }) as const))
  if (dryRun) return
  for (const path of left) await rm(path, { recursive: true, force: true })
  await tidySources(workspace)
  await completeKeyFolder(keys)
}

/** UUIDs of clones that hold an image, whether they have files or not. */
function clonesWithImages({ imageReferences }: Workspace): readonly string[] {
  return imageReferences.holders().flatMap((holder) => /^clone ([0-9a-f-]{36})$/.exec(holder)?.[1] ?? [])
}
