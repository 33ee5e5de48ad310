/**
 * What packages consist of, from their sources into the store: archives and images, verified, nothing installed. Needs no
 * writer lock: several processes that want one object make one download (threats D04), and what they have announced is
 * not collected as garbage meanwhile (L04).
 */

import { rm } from 'node:fs/promises'
import type { CatalogueEntry as Candidate } from '../catalogue/catalogue.ts'
import { isVmpkgError, VmpkgError } from '../errors.ts'
import { fetchToFile } from '../fetch/file-download.ts'
import { checkSpace, statfsOfNearest } from '../host/preflight.ts'
import { ImageStore } from '../image/store.ts'
import { packagePath } from '../sources/locations.ts'
import { forgetKept, keepDownload, type Leased, openLease } from '../state/downloads.ts'
import { fetchImage, fetchMaps, missingBytes, whileNobodyElse } from './images.ts'
import { archiveFile, type LoadedPackage, loadPackage } from './package-store.ts'
import { mirrorsOf } from './sources.ts'
import type { Workspace } from './workspace.ts'

export interface Downloads extends Disposable {
  /** In the order of the candidates. */
  readonly packages: readonly LoadedPackage[]
}

/** What would be moved and stored if everything that is missing were fetched. */
export interface DownloadSizes {
  /** Files. */
  readonly objects: number
  readonly downloadBytes: number
  /** About. */
  readonly diskBytes: number
  /** Of images that are fetched in full, whatever of them could be reused. */
  readonly fullBytes: number
}

/**
 * Fetches and verifies archives and images of all candidates. Nothing of it is garbage until the result is disposed of:
 * do that once something else refers to it.
 *
 * @throws {VmpkgError} `NO_SPACE` before the first byte; `DIGEST_MISMATCH`, `SIZE_EXCEEDED`, `DOWNLOAD_FAILED`,
 *   `DOWNLOAD_STALLED`, `REDIRECT_REFUSED`, `OFFLINE`, `ABORTED`. What has come by then stays.
 */
export async function downloadPackages(workspace: Workspace, candidates: readonly Candidate[]): Promise<Downloads> {
  const { emit, signal } = workspace.outside
  const { paths, command } = workspace
  const lease = await openLease({ folder: paths.downloads, command, signal }, needsOf(candidates))
  try {
    const { objects, downloadBytes } = await requireSpace(workspace, candidates)
    if (objects > 0) emit({ type: 'fetch-planned', objects, sizeBytes: downloadBytes })
    const packages: LoadedPackage[] = []
    const absent: VmpkgError[] = []
    for (const candidate of candidates) {
      const { name } = candidate.line
      if (signal.aborted) throw new VmpkgError('ABORTED', `The download of ${name} was interrupted`)
      emit({ type: 'stage-started', stage: 'fetch', subject: name })
      await fetchPackage(workspace, candidate).then(
        (pkg) => packages.push(pkg),
        (error: unknown) => {
          if (!isVmpkgError(error, 'OFFLINE')) throw error
          absent.push(error)
        },
      )
    }
    if (absent.length > 0) throw missingOffline(absent)
    for (const { line } of packages) forgetKept(paths.downloads, line.package.sha256)
    return { packages, [Symbol.dispose]: () => lease[Symbol.dispose]() }
  } catch (error) {
    lease[Symbol.dispose]()
    throw error
  }
}

/** Downloads for later: what came stays until garbage is collected on purpose. @throws {VmpkgError} as `downloadPackages` */
export async function downloadForLater(
  workspace: Workspace,
  candidates: readonly Candidate[],
): Promise<readonly LoadedPackage[]> {
  const { paths, command, outside } = workspace
  using downloads = await downloadPackages(workspace, candidates)
  for (const candidate of candidates) {
    const lease = { folder: paths.downloads, command, signal: outside.signal }
    await keepDownload(lease, candidate.line.package.sha256, needsOf([candidate]))
  }
  return downloads.packages
}

/**
 * Fetches and verifies archive and images; nothing of it is used before all digests are right.
 *
 * @throws {VmpkgError} as `downloadPackages`
 */
async function fetchPackage(workspace: Workspace, candidate: Candidate): Promise<LoadedPackage> {
  try {
    return await fetchFiles(workspace, candidate)
  } catch (error) {
    if (!isVmpkgError(error, 'OFFLINE')) throw error
    throw notOnHost(candidate, error)
  }
}

function notOnHost({ line: { name, version } }: Candidate, cause?: VmpkgError): VmpkgError {
  return new VmpkgError('OFFLINE', `${name} ${version} is not on this host`, {
    hint: `Without --offline, run: vmpkg download ${name}=${version}`,
    cause,
    details: { package: `${name} ${version}` },
  })
}

/** What is missing and in no folder either cannot come while offline. @throws {VmpkgError} `OFFLINE` */
export async function requireObtainable(workspace: Workspace, candidates: readonly Candidate[]): Promise<void> {
  if (!workspace.outside.isOffline) return
  const absent: VmpkgError[] = []
  for (const candidate of candidates) {
    const { objects } = await measureDownload(workspace, [candidate])
    if (objects === 0) continue
    const { mirrors } = await mirrorsOf(workspace, candidate.source)
    if (!mirrors.some(({ base }) => base.protocol === 'file:')) absent.push(notOnHost(candidate))
  }
  if (absent.length > 0) throw missingOffline(absent)
}

async function fetchFiles(workspace: Workspace, candidate: Candidate): Promise<LoadedPackage> {
  const { line, source, transport } = candidate
  const { signal } = workspace.outside
  const from = await mirrorsOf(workspace, source)
  const pkg = await fetchArchive(workspace, candidate)
  const store = new ImageStore(workspace.paths.images)
  for (const image of line.images) {
    // Every byte of what was there before is looked at once more (D05); a damaged one is then in quarantine.
    await store.verify(image, { isFull: true, signal }).catch((error: unknown) => {
      if (!isVmpkgError(error, 'IMAGE_DAMAGED')) throw error
    })
    await fetchImage(workspace, line, image, transport, from)
  }
  return pkg
}

/** The archive alone, which is small: for a plan that shows what a version would change. @throws as `downloadPackages` */
export async function fetchArchive(workspace: Workspace, candidate: Candidate): Promise<LoadedPackage> {
  const { line, source } = candidate
  const { emit, signal } = workspace.outside
  const intact = await findIntact(workspace, candidate)
  if (intact !== undefined) return intact
  const from = await mirrorsOf(workspace, source)
  const subject = `${line.name} ${line.version}`
  const { sha256 } = line.package
  return whileNobodyElse(workspace, sha256, subject, async () => {
    const found = await findIntact(workspace, candidate)
    if (found !== undefined) return found
    const target = archiveFile(workspace, line)
    await fetchToFile(from, {
      path: packagePath(sha256),
      expected: line.package,
      target,
      mode: 0o444,
      subject,
      emit,
      signal,
    })
    return loadPackage(workspace, line).catch(async (error: unknown) => {
      await rm(target, { force: true }) // signed, and still not fit for use
      throw error
    })
  })
}

/** All that is missing is named at once, so that one trip to the network brings it. */
function missingOffline(absent: readonly VmpkgError[]): VmpkgError {
  const packages = absent.map(({ details }) => String(details['package']))
  const names = packages.map((text) => text.replace(' ', '=')).join(' ')
  return new VmpkgError('OFFLINE', `Not on this host: ${packages.join(', ')}`, {
    hint: `Without --offline, run: vmpkg download ${names}`,
    cause: absent[0],
    details: { packages },
  })
}

/** A frame is only named where three quarters of it are wanted (docs/images.md 6.4), and what is wanted is no smaller raw. */
const LEAST_OF_DOWNLOAD = 0.7

/**
 * Before the first byte of an archive or image. Where it may be tight, the chunk maps decide: a sparse image takes a small
 * part of its size.
 *
 * @throws {VmpkgError} `NO_SPACE` `ABORTED`
 */
async function requireSpace(workspace: Workspace, candidates: readonly Candidate[]): Promise<DownloadSizes> {
  const { paths } = workspace
  const most = candidates.reduce((sum, { line }) => sum + line.images.reduce((all, { size }) => all + size, 0), 0)
  const sizes = await measureDownload(workspace, candidates)
  const { bavail, bsize } = await statfsOfNearest(paths.images)
  if (most + sizes.diskBytes <= bavail * bsize) return sizes
  const least = Math.min(sizes.diskBytes, sizes.fullBytes * LEAST_OF_DOWNLOAD)
  await checkSpace(paths.images, least)
  for (const { line, source } of candidates) {
    const from = await mirrorsOf(workspace, source)
    // What cannot be had is told by the fetch, which looks again at what there is.
    await fetchMaps(workspace, line, from).catch((error: unknown) => {
      if (!isVmpkgError(error) || error.code === 'ABORTED') throw error
    })
  }
  const exact = await measureDownload(workspace, candidates)
  await checkSpace(paths.images, exact.diskBytes)
  return exact
}

/** Counts what the store lacks; nothing is fetched. */
export async function measureDownload(workspace: Workspace, candidates: readonly Candidate[]): Promise<DownloadSizes> {
  let [objects, downloadBytes, diskBytes, fullBytes] = [0, 0, 0, 0]
  for (const candidate of candidates) {
    const { line, transport } = candidate
    const images = await missingBytes(workspace, line, transport)
    const isThere = (await findIntact(workspace, candidate)) !== undefined
    objects += images.objects + (isThere ? 0 : 1)
    downloadBytes += images.download + (isThere ? 0 : line.package.size)
    diskBytes += images.disk + (isThere ? 0 : line.package.size)
    fullBytes += images.full
  }
  return { objects, downloadBytes, diskBytes, fullBytes }
}

/** The package as it lies there, unless it is absent or damaged. */
async function findIntact(workspace: Workspace, { line }: Candidate): Promise<LoadedPackage | undefined> {
  return loadPackage(workspace, line).catch((error: unknown) => {
    if (isVmpkgError(error, 'STATE_INVALID', 'DIGEST_MISMATCH', 'SIZE_EXCEEDED')) return undefined
    throw error
  })
}

/** Everything that these consist of. */
export function needsOf(candidates: readonly Candidate[]): Leased {
  const images = candidates.flatMap(({ line }) => line.images)
  return {
    images: new Set(images.map(({ digest }) => digest)),
    maps: new Set(images.map(({ map }) => map.sha256)),
    archives: new Set(candidates.map(({ line }) => line.package.sha256)),
  }
}
