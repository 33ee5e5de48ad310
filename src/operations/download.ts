/** What a package consists of, from its source into the store: the archive and the images, verified, nothing installed. */
import type { CatalogueEntry as Candidate } from '../catalogue/catalogue.ts'
import { isVmpkgError } from '../errors.ts'
import { fetchDigested } from '../fetch/small-file.ts'
import { ImageStore } from '../image/store.ts'
import { packagePath } from '../sources/locations.ts'
import { fetchImages } from './images.ts'
import { type LoadedPackage, loadPackage, openPackage, storePackage } from './package-store.ts'
import { mirrorOf } from './sources.ts'
import type { Workspace } from './workspace.ts'

/**
 * Fetches and verifies archive and images; nothing of it is used before all digests are right.
 *
 * @throws {VmpkgError} `DIGEST_MISMATCH`, `SIZE_EXCEEDED`, `DOWNLOAD_FAILED`, `DOWNLOAD_STALLED`, `NO_SPACE`, `ABORTED`
 */
export async function fetchPackage(
  workspace: Workspace,
  { line, source, transport }: Candidate,
): Promise<LoadedPackage> {
  const { emit, signal } = workspace.outside
  const mirror = await mirrorOf(workspace, source)
  let pkg = await loadPackage(workspace, line).catch((error: unknown) => {
    if (isVmpkgError(error, 'STATE_INVALID', 'DIGEST_MISMATCH', 'SIZE_EXCEEDED')) return undefined // absent or damaged
    throw error
  })
  if (pkg === undefined) {
    const archive = await fetchDigested(mirror, {
      path: packagePath(line.package.sha256),
      expected: line.package,
      subject: `${line.name} ${line.version}`,
      emit,
      signal,
    })
    pkg = await openPackage(line, archive)
    await storePackage(workspace, line, archive)
  }
  const store = new ImageStore(workspace.paths.images)
  for (const image of line.images) {
    await store.verify(image, { isFull: false, signal }).catch((error: unknown) => {
      if (!isVmpkgError(error, 'IMAGE_DAMAGED')) throw error // damaged ones are in quarantine now and fetched again
    })
  }
  await fetchImages(workspace, line, transport, mirror)
  return pkg
}
