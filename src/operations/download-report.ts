/** Where the files of packages lie in the store, fetched or not. */
import type { CatalogueEntry as Candidate } from '../catalogue/catalogue.ts'
import { ImageStore } from '../image/store.ts'
import { archiveFile } from './package-store.ts'
import type { Workspace } from './workspace.ts'

export interface DownloadedPackage {
  readonly name: string
  readonly version: string
  readonly source: string
  /** Path of the archive. */
  readonly archive: string
  readonly images: readonly { readonly role: string; readonly digest: string; readonly path: string }[]
}

export function describeDownloads(
  workspace: Workspace,
  candidates: readonly Candidate[],
): readonly DownloadedPackage[] {
  const store = new ImageStore(workspace.paths.images)
  return candidates.map(({ line, source }) => ({
    name: line.name,
    version: line.version,
    source,
    archive: archiveFile(workspace, line),
    images: line.images.map(({ role, digest }) => ({ role, digest, path: store.pathOf(digest) })),
  }))
}
