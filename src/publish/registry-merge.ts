/** `repo merge`: takes the submissions under `incoming/` into the next version (decisions 5). Submissions are hostile. */
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { VmpkgError } from '../errors.ts'
import { FILE_LIMITS } from '../model/registry-schema.ts'
import { CLOCK_TOLERANCE_MS } from '../trust/freshness.ts'
import { openPinnedRoot } from '../trust/root-chain.ts'
import { verifySubmission } from '../trust/submission.ts'
import { type AddResult, mergeEntries } from './registry-add.ts'
import { contentPath, findRegistryFile, readRegistryFile, rootPath } from './registry-folder.ts'
import { readRegistry } from './registry-state.ts'
import type { Timestamping } from './registry-version.ts'

export interface MergeResult {
  readonly merged: readonly { readonly path: string; readonly result: AddResult }[]
  /** Left where they are. */
  readonly refused: readonly { readonly path: string; readonly error: VmpkgError }[]
}

const NAME = /^[0-9a-f]{64}\.json$/

/** Each submission on its own: a bad one stops no other. A merged one is removed. @throws {VmpkgError} `REGISTRY_INVALID` */
export async function mergeSubmissions(folder: string, timestamping: Timestamping): Promise<MergeResult> {
  const merged: { path: string; result: AddResult }[] = []
  const refused: { path: string; error: VmpkgError }[] = []
  const names = await readdir(join(folder, 'incoming')).catch(() => [])
  for (const name of names.filter((one) => NAME.test(one)).toSorted()) {
    const path = `incoming/${name}`
    try {
      merged.push({ path, result: await mergeOne(folder, path, timestamping) })
      await rm(join(folder, path))
    } catch (error) {
      if (!(error instanceof VmpkgError)) throw error
      refused.push({ path, error })
    }
  }
  return { merged, refused }
}

async function mergeOne(folder: string, path: string, timestamping: Timestamping): Promise<AddResult> {
  const { rootFile, root } = await readRegistry(folder)
  const keysAt = new Date(timestamping.clock.now().getTime() + CLOCK_TOLERANCE_MS)
  const pin = { version: root.version, sha256: rootFile.sha256 }
  const trusted = await openPinnedRoot(
    await readRegistryFile(folder, rootPath(root.version), FILE_LIMITS.root),
    pin,
    keysAt,
  )
  const file = await readRegistryFile(folder, path, FILE_LIMITS.submission)
  const entries = await verifySubmission(file, trusted, keysAt)
  for (const { entry } of entries) {
    const indexes = Object.values(entry.transport.images).map(({ index }) => contentPath('transport', index.sha256))
    const maps = entry.line.images.map(({ map }) => contentPath('map', map.sha256))
    const archive = contentPath('package', entry.line.package.sha256)
    for (const needed of [archive, ...maps, ...indexes]) await requirePresent(folder, needed)
  }
  return mergeEntries(
    folder,
    entries.map(({ wire }) => wire),
    timestamping,
  )
}

async function requirePresent(folder: string, path: string): Promise<void> {
  if ((await findRegistryFile(folder, path, Number.MAX_SAFE_INTEGER)) !== undefined) return
  throw new VmpkgError('REGISTRY_INVALID', `The submission names ${path}, which is not in the registry`, {
    hint: 'Copy the files that belong to the submission first.',
  })
}
