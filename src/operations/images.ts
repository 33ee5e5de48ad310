/** The images of a package in the store: fetching what is missing, paths by role. */

import { VmpkgError } from '../errors.ts'
import type { Mirror } from '../fetch/mirror.ts'
import { packSource } from '../fetch/packs.ts'
import { fetchDigested } from '../fetch/small-file.ts'
import { ImageStore } from '../image/store.ts'
import type { PackageLine, Transport } from '../model/line.ts'
import type { DomainTemplateContext } from '../model/template-context.ts'
import { chunkMapPath, transportPath } from '../sources/locations.ts'
import type { Workspace } from './workspace.ts'

export function imagePaths(workspace: Workspace, { images }: PackageLine): DomainTemplateContext['images'] {
  const store = new ImageStore(workspace.paths.images)
  return Object.fromEntries(images.map(({ role, digest }) => [role, store.pathOf(digest)]))
}

/** @throws {VmpkgError} `DIGEST_MISMATCH` `IMAGE_INVALID` `NO_SPACE` `DOWNLOAD_FAILED` … */
export async function fetchImages(
  workspace: Workspace,
  line: PackageLine,
  transport: Transport,
  mirror: Mirror,
): Promise<void> {
  const { emit, signal } = workspace.outside
  const store = new ImageStore(workspace.paths.images)
  for (const image of line.images) {
    const subject = `${line.name} ${image.role}`
    if (await store.has(image)) continue
    const travels = transport.images[image.digest]
    if (travels === undefined) {
      throw new VmpkgError('INDEX_INVALID', `The index does not say how image ${image.role} of ${line.name} travels`, {
        hint: 'Ask the publisher to publish it again.',
      })
    }
    await store.fetch({
      image,
      mapBytes: await fetchDigested(mirror, { path: chunkMapPath(image.map.sha256), expected: image.map, signal }),
      indexBytes: await fetchDigested(mirror, {
        path: transportPath(travels.index.sha256),
        expected: travels.index,
        signal,
      }),
      blobs: packSource(mirror),
      subject,
      emit,
      signal,
    })
  }
}

/** Bytes that a full fetch of what the store lacks would move, and that it would take on disk. */
export async function missingBytes(
  workspace: Workspace,
  line: PackageLine,
  transport: Transport,
): Promise<{ readonly download: number; readonly disk: number }> {
  const store = new ImageStore(workspace.paths.images)
  let download = 0
  let disk = 0
  for (const image of line.images) {
    if (await store.has(image)) continue
    download += transport.images[image.digest]?.fullBytes ?? 0
    disk += image.size
  }
  return { download, disk }
}
