/** The images of a package in the store: fetching what is missing, paths by role. */

import { rm } from 'node:fs/promises'
import { VmpkgError } from '../errors.ts'
import { fetchToFile } from '../fetch/file-download.ts'
import type { MirrorSet } from '../fetch/mirror.ts'
import { packSource } from '../fetch/packs.ts'
import { type DigestedFileOptions, fetchDigested } from '../fetch/small-file.ts'
import { type BinaryFile, MAX_HELD_BYTES } from '../image/binary.ts'
import { type AlikeImage, ImageStore } from '../image/store.ts'
import type { Sha256 } from '../model/digest.ts'
import type { ImageTransport, PackageImage, PackageLine, Transport } from '../model/line.ts'
import type { DomainTemplateContext } from '../model/template-context.ts'
import { verityArgument } from '../model/verity.ts'
import { chunkMapPath, transportPath } from '../sources/locations.ts'
import { withObject } from '../state/downloads.ts'
import type { LockHolder } from '../state/lock.ts'
import { openCatalogue } from './catalogue.ts'
import type { Workspace } from './workspace.ts'

export function imagePaths(workspace: Workspace, { images }: PackageLine): DomainTemplateContext['images'] {
  const store = new ImageStore(workspace.paths.images)
  return Object.fromEntries(images.map(({ role, digest }) => [role, store.pathOf(digest)]))
}

/** What the initrd of the package is told of its root; see `verityArgument`. */
export function rootVerity({ images }: PackageLine): string | undefined {
  const root = images.find(({ role }) => role === 'root')
  return root && verityArgument(root)
}

/**
 * Fetches one image where the store lacks it. One process at a time does so: another that wants it waits and finds it.
 *
 * @throws {VmpkgError} `DIGEST_MISMATCH` `IMAGE_INVALID` `INDEX_INVALID` `NO_SPACE` `DOWNLOAD_FAILED` `OFFLINE` …
 */
export async function fetchImage(
  workspace: Workspace,
  line: PackageLine,
  image: PackageImage,
  transport: Transport,
  from: MirrorSet,
): Promise<void> {
  const { emit, signal } = workspace.outside
  const store = new ImageStore(workspace.paths.images)
  const subject = `${line.name} ${image.role}`
  const travels = transport.images[image.digest]
  await whileNobodyElse(workspace, image.digest, subject, async () => {
    if (await store.has(image)) return
    if (travels === undefined) {
      throw new VmpkgError('INDEX_INVALID', `The index does not say how image ${image.role} of ${line.name} travels`, {
        hint: 'Ask the publisher to publish it again.',
      })
    }
    const expectedBytes = await expectedTransfer(store, travels, knownImages(workspace, line.name))
    const indexPath = transportPath(travels.index.sha256)
    const indexPlace = async () => store.placeOfIndex(image)
    const indexBytes = await bring(from, { path: indexPath, expected: travels.index, signal }, indexPlace)
    await store.fetch({
      image,
      mapBytes: (await store.findMap(image)) ?? (await bringMap(store, image, from, signal)),
      indexBytes,
      blobs: packSource(from),
      alike: imagesAtHand(workspace, line.name, travels, from),
      subject,
      emit: (event) => emit(event.type === 'transfer-planned' ? { ...event, expectedBytes } : event),
      signal,
    })
    if ('path' in indexBytes) await rm(indexBytes.path, { force: true })
  })
}

/** A file in memory, or where it is large, at its place. @throws as `fetchImage` */
async function bring(
  from: MirrorSet,
  wanted: DigestedFileOptions,
  placeOf: () => Promise<string>,
): Promise<BinaryFile> {
  if (wanted.expected.size <= MAX_HELD_BYTES) return fetchDigested(from, wanted)
  const target = await placeOf()
  await fetchToFile(from, { ...wanted, target, mode: 0o444 })
  return { path: target }
}

async function bringMap(
  store: ImageStore,
  image: PackageImage,
  from: MirrorSet,
  signal: AbortSignal | undefined,
): Promise<BinaryFile> {
  const wanted = { path: chunkMapPath(image.map.sha256), expected: image.map, signal }
  return bring(from, wanted, async () => store.placeOfMap(image))
}

/** Brings the chunk maps of images that are not here, which say what those take on disk. @throws as `fetchImage` */
export async function fetchMaps(workspace: Workspace, line: PackageLine, from: MirrorSet): Promise<void> {
  const store = new ImageStore(workspace.paths.images)
  const { signal } = workspace.outside
  for (const image of line.images) {
    if ((await store.neededBytes(image)).isExact) continue
    const bytes = await bringMap(store, image, from, signal)
    if (bytes instanceof Uint8Array) await store.keepMap(image, bytes)
  }
}

/** Images that lie here and may have chunks of one that is fetched: those from which there is a delta, then all others. */
function imagesAtHand(
  workspace: Workspace,
  name: string,
  { deltas = [] }: ImageTransport,
  from: MirrorSet,
): readonly AlikeImage[] {
  const { signal } = workspace.outside
  const alike = [...knownImages(workspace, name)].map(([digest, sha256]): AlikeImage => {
    const delta = deltas.find((one) => one.from === digest)
    if (delta === undefined) return { digest, map: { sha256 } }
    const { index, pack } = delta
    const readIndex = async (): Promise<Uint8Array> =>
      fetchDigested(from, { path: transportPath(index.sha256), expected: index, signal })
    return { digest, map: { sha256 }, delta: { index, packBytes: pack.size, readIndex } }
  })
  return alike.toSorted((a, b) => Number(b.delta !== undefined) - Number(a.delta !== undefined))
}

/** Chunk maps of the images that somebody here needs, and of those of any version of the package. */
function knownImages(workspace: Workspace, name: string): ReadonlyMap<Sha256, Sha256> {
  using catalogue = openCatalogue(workspace)
  const versions = catalogue.versions(name).flatMap(({ line }) => line.images)
  return new Map([
    ...versions.map(({ digest, map }) => [digest, map.sha256] as const),
    ...workspace.imageReferences.list().map(({ image, map }) => [image, map] as const),
  ])
}

/** What an image will move at most, without asking anybody: in full, or the smallest delta from an image that lies here. */
async function expectedTransfer(
  store: ImageStore,
  { fullBytes, deltas = [] }: ImageTransport,
  known: ReadonlyMap<Sha256, Sha256>,
): Promise<number> {
  const present = new Set(await store.list())
  const usable = deltas.filter(({ from }) => present.has(from) && known.has(from))
  return usable.reduce((least, { index, pack }) => Math.min(least, index.size + pack.size), fullBytes)
}

/** Runs `use` under the lock of one object, and says so where that means to wait. @throws {VmpkgError} `ABORTED` */
export async function whileNobodyElse<T>(
  { outside: { emit, signal }, paths, command }: Workspace,
  digest: Sha256,
  subject: string,
  use: () => Promise<T>,
): Promise<T> {
  const onWait = (holder: LockHolder | undefined): void => {
    const who = holder === undefined ? 'another vmpkg' : `process ${holder.pid} (${holder.command})`
    emit({ type: 'noted', message: `${subject}: waiting for ${who}, which is fetching it` })
  }
  return withObject({ folder: paths.downloads, digest, command, signal, onWait }, use)
}

/** Bytes that a fetch of what the store lacks would move at most, and about what it would take on disk. */
export async function missingBytes(
  workspace: Workspace,
  line: PackageLine,
  transport: Transport,
): Promise<{ readonly objects: number; readonly download: number; readonly disk: number; readonly full: number }> {
  const store = new ImageStore(workspace.paths.images)
  let objects = 0
  let download = 0
  let disk = 0
  let full = 0
  let known: ReadonlyMap<Sha256, Sha256> | undefined
  for (const image of line.images) {
    if (await store.has(image)) continue
    objects++
    const travels = transport.images[image.digest]
    if (travels !== undefined) {
      full += travels.fullBytes
      known ??= knownImages(workspace, line.name)
      download += await expectedTransfer(store, travels, known)
    }
    disk += (await store.neededBytes(image)).bytes
  }
  return { objects, download, disk, full }
}
