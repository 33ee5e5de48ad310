/**
 * `show --disk`: what the store and the machines take on this disk, who needs which image, and which chunks images have in
 * common. Nothing is read of the images themselves: their chunk maps say what is in them.
 */
import { lstat, readdir, realpath } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { systemErrorCode } from '../errors.ts'
import { readChunkMap } from '../image/chunk-map.ts'
import { Scratch } from '../image/paged.ts'
import { ImageStore } from '../image/store.ts'
import type { Sha256 } from '../model/digest.ts'
import type { ImageHolder } from '../state/image-references.ts'
import { type DiskUser, listDiskUsersIfPossible } from './disk-users.ts'
import { ChunkSets } from './shared-chunks.ts'
import type { Workspace } from './workspace.ts'

interface StoredUsage {
  /** As in `router-uni 1.0-1 root`; empty for one that is not of an installed package. */
  readonly images: readonly string[]
  readonly digest: Sha256
  /** Of the disk that a guest sees. */
  readonly size: number
  readonly diskBytes: number
  /** Bytes of chunks that other images of the store have too, and which ones, by digest. */
  readonly sharedBytes: number
  readonly sharedWith: readonly {
    readonly digest: Sha256
    readonly images: readonly string[]
    readonly bytes: number
  }[]
  /** `package NAME`, `clone NAME`, `domain NAME`, `running NAME`, `history NUMBER`; with the connection where it is another. */
  readonly usedBy: readonly string[]
  /** True where `clean` would remove it: only the history keeps it, or nobody. */
  readonly isSpare: boolean
}

export interface DiskUsage {
  readonly stored: readonly StoredUsage[]
  /** On disk, by what it is. */
  readonly totals: Readonly<
    Record<'images' | 'unfinished' | 'damaged' | 'archives' | 'machines' | 'cache' | 'sum' | 'spareImages', number>
  >
  /** What packages, clones and machines would take beyond that if each had images of its own. */
  readonly savedBySharing: number
}

/**
 * @param packages those whose images are listed; all that are in the store without
 * @throws {VmpkgError} `PACKAGE_NOT_INSTALLED`
 */
export async function diskUsage(workspace: Workspace, packages: readonly string[]): Promise<DiskUsage> {
  const { paths, imageReferences } = workspace
  const wanted = new Set(packages.flatMap((name) => workspace.installed.get(name).line.images.map((one) => one.digest)))
  const users = (await listDiskUsersIfPossible(workspace)) ?? []
  const holders = imageReferences.list()
  const names = namesOfImages(workspace)
  const digests = await new ImageStore(paths.images).list()
  const shared = await findShared(workspace, digests, holders)
  const all: StoredUsage[] = []
  for (const digest of digests) {
    const { size, blocks } = await lstat(join(paths.images, digest))
    const usedBy = await usersOf(workspace, digest, holders, users)
    const others = shared.get(digest)
    all.push({
      images: names.get(digest) ?? [],
      digest,
      size,
      diskBytes: blocks * 512,
      sharedBytes: others?.bytes ?? 0,
      sharedWith: [...(others?.others ?? [])]
        .map(([other, bytes]) => ({ digest: other, images: names.get(other) ?? [], bytes }))
        .toSorted((a, b) => b.bytes - a.bytes),
      usedBy,
      isSpare: usedBy.every((one) => one.startsWith('history ')),
    })
  }
  const stored = all
    .filter(({ digest }) => packages.length === 0 || wanted.has(digest))
    .toSorted((a, b) => b.diskBytes - a.diskBytes)
  return { stored, totals: await sumUp(workspace, all), savedBySharing: savedBySharing(all) }
}

async function sumUp({ paths }: Workspace, stored: readonly StoredUsage[]): Promise<DiskUsage['totals']> {
  const sum = (list: readonly StoredUsage[]): number => list.reduce((total, { diskBytes }) => total + diskBytes, 0)
  const unfinished = await bytesBelow(paths.images, (name) => /^[0-9a-f]{64}\.partial/.test(name))
  const parts = {
    images: sum(stored) + (await bytesBelow(join(paths.images, 'maps'))),
    unfinished,
    damaged: await bytesBelow(join(paths.images, 'quarantine')),
    archives: await bytesBelow(paths.packages),
    machines: await bytesBelow(join(paths.state, 'connections')),
    cache: await bytesBelow(paths.cache),
  }
  const total = Object.values(parts).reduce((so, bytes) => so + bytes, 0)
  return { ...parts, sum: total, spareImages: sum(stored.filter(({ isSpare }) => isSpare)) }
}

function savedBySharing(stored: readonly StoredUsage[]): number {
  const users = ({ usedBy }: StoredUsage): number => usedBy.filter((one) => !one.startsWith('history ')).length
  return stored.reduce((saved, one) => saved + Math.max(0, users(one) - 1) * one.diskBytes, 0)
}

/** On disk, of the folder's own files and those of its folders. */
export async function bytesBelow(folder: string, counts: (name: string) => boolean = () => true): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return []
    throw error
  })
  let total = 0
  for (const entry of entries) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) total += await bytesBelow(path, counts)
    else if (counts(entry.name)) total += await bytesOf(path)
  }
  return total
}

async function bytesOf(path: string): Promise<number> {
  const found = await lstat(path).catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return undefined // removed in between
    throw error
  })
  return (found?.blocks ?? 0) * 512
}

function namesOfImages({ installed }: Workspace): ReadonlyMap<Sha256, readonly string[]> {
  const names = new Map<Sha256, string[]>()
  for (const { line } of installed.list())
    for (const { digest, role } of line.images)
      names.set(digest, [...(names.get(digest) ?? []), `${line.name} ${line.version} ${role}`])
  return names
}

async function usersOf(
  { paths, connectionPaths }: Workspace,
  digest: Sha256,
  holders: readonly ImageHolder[],
  users: readonly DiskUser[],
): Promise<readonly string[]> {
  const folder = await realpath(paths.images).catch(() => paths.images)
  const named = users.filter(({ files }) =>
    [...files].some((file) => dirname(file) === folder && basename(file) === digest),
  )
  const held = holders
    .filter(({ image }) => image === digest)
    .map(({ holder, connection }) => {
      const [kind = '', who = ''] = holder.split(' ')
      const label = `${kind} ${users.find(({ uuid }) => uuid === who)?.name ?? who}`
      return connection === connectionPaths.key ? label : `${label} (${connection})`
    })
  const known = new Set(held.map((label) => label.replace(/^(?:clone|running) /, '')))
  const others = named.filter(({ name }) => !known.has(name)).map(({ name }) => `domain ${name}`)
  return [...new Set([...held, ...others])].toSorted()
}

interface Shared {
  readonly bytes: number
  readonly others: ReadonlyMap<Sha256, number>
}

/** By the chunk maps that are here; a chunk counts once, however often an image has it. */
async function findShared(
  workspace: Workspace,
  digests: readonly Sha256[],
  holders: readonly ImageHolder[],
): Promise<ReadonlyMap<Sha256, Shared>> {
  const store = new ImageStore(workspace.paths.images)
  using sets = new ChunkSets()
  for (const [number, digest] of digests.entries()) {
    const map = holders.find(({ image }) => image === digest)?.map
    const file = map === undefined ? undefined : await store.findMap({ map: { sha256: map } })
    if (file === undefined) continue
    using scratch = new Scratch()
    sets.add(number, await readChunkMap(file, { scratch }))
  }
  const shared = new Map<Sha256, { bytes: number; others: Map<Sha256, number> }>()
  for (const { images: numbers, bytes } of sets.shared()) {
    const images = numbers.flatMap((number) => digests[number] ?? [])
    for (const image of images) {
      const entry = shared.get(image) ?? { bytes: 0, others: new Map<Sha256, number>() }
      entry.bytes += bytes
      for (const other of images) if (other !== image) entry.others.set(other, (entry.others.get(other) ?? 0) + bytes)
      shared.set(image, entry)
    }
  }
  return shared
}
