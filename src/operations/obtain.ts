/**
 * Everything that packages consist of, brought onto this host before anything is changed: without the writer lock, so that
 * a slow download keeps nobody waiting. What is kept here is used even when no source offers it any more (threats L05).
 */
import { stat } from 'node:fs/promises'
import type { CatalogueEntry } from '../catalogue/catalogue.ts'
import { isVmpkgError, systemErrorCode, VmpkgError } from '../errors.ts'
import { ImageStore } from '../image/store.ts'
import type { PackageLine } from '../model/line.ts'
import { openLease } from '../state/downloads.ts'
import { type Downloads, downloadPackages, needsOf } from './download.ts'
import { archiveFile, type LoadedPackage, loadPackage } from './package-store.ts'
import type { Workspace } from './workspace.ts'

/**
 * In the order given. Nothing of it is garbage until the result is disposed of. Sources are asked for what is not here
 * only: one that is gone or out of reach is no obstacle to the rest. @throws {VmpkgError} as `downloadPackages`
 */
export async function obtainPackages(workspace: Workspace, entries: readonly CatalogueEntry[]): Promise<Downloads> {
  const { paths, command, outside } = workspace
  const lease = await openLease({ folder: paths.downloads, command, signal: outside.signal }, needsOf(entries))
  try {
    const here = new Map<string, LoadedPackage>()
    for (const { line } of entries) {
      const found = await findComplete(workspace, line)
      if (found !== undefined) here.set(line.name, found)
    }
    const missing = entries.filter(({ line }) => !here.has(line.name))
    if (missing.length > 0) {
      using downloads = await downloadPackages(workspace, missing)
      for (const pkg of downloads.packages) here.set(pkg.line.name, pkg)
    }
    const packages = entries.flatMap(({ line }) => here.get(line.name) ?? [])
    return { packages, [Symbol.dispose]: () => lease[Symbol.dispose]() }
  } catch (error) {
    lease[Symbol.dispose]()
    throw error
  }
}

/** `undefined` where anything is missing or damaged: every byte is looked at before it is used again (threats D05). */
async function findComplete(workspace: Workspace, line: PackageLine): Promise<LoadedPackage | undefined> {
  if (!(await isHere(workspace, line))) return undefined
  const { signal } = workspace.outside
  const store = new ImageStore(workspace.paths.images)
  try {
    for (const image of line.images) await store.verify(image, { isFull: true, signal })
    return await loadPackage(workspace, line)
  } catch (error) {
    if (isVmpkgError(error, 'IMAGE_DAMAGED', 'STATE_INVALID', 'DIGEST_MISMATCH', 'SIZE_EXCEEDED')) return undefined
    throw error
  }
}

/** True where the archive and all images lie here, by name, size and mode. */
async function isHere(workspace: Workspace, line: PackageLine): Promise<boolean> {
  const store = new ImageStore(workspace.paths.images)
  const images = await Promise.all(line.images.map((image) => store.has(image)))
  if (images.includes(false)) return false
  try {
    return (await stat(archiveFile(workspace, line))).size === line.package.size
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return false
    throw error
  }
}

/**
 * Refuses where something is neither kept here nor offered, before anything is changed (threats L05).
 * @throws {VmpkgError} `PACKAGE_UNKNOWN`
 */
export async function requireObtainable(
  workspace: Workspace,
  entry: CatalogueEntry,
  isOffered: boolean,
): Promise<void> {
  if (isOffered || (await isHere(workspace, entry.line))) return
  const { name, version } = entry.line
  throw new VmpkgError('PACKAGE_UNKNOWN', `${name} ${version} is neither kept here nor offered by any source`, {
    hint: `Nothing was changed. Ask the publisher of ${entry.source} for that version, or run vmpkg update and try again.`,
    details: { name, version },
  })
}
