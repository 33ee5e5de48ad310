/** Brings the missing immutable files of a folder to a target (formats 1.2). What an interrupted run uploaded is used again. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Emit, emitNothing } from '../events.ts'
import { FILE_LIMITS } from '../model/registry-schema.ts'
import type { RegistryFile } from './registry-files.ts'
import { type PublishTarget, readFromTarget, registryChanged, targetFailed } from './target.ts'

export interface UploadOptions {
  readonly target: PublishTarget
  readonly folder: string
  readonly files: readonly RegistryFile[]
  readonly emit?: Emit
  /** Only says what would be uploaded. */
  readonly dryRun?: boolean
}

/** What goes in one call: little enough that progress shows, much enough that calls cost nothing beside it. */
const BATCH_FILES = 64
const BATCH_BYTES = 64 * 1024 * 1024

/**
 * @returns what was missing
 * @throws {VmpkgError} `TARGET_FAILED`; `REGISTRY_CHANGED` where the target has another file of that name
 */
export async function uploadMissing(options: UploadOptions): Promise<readonly RegistryFile[]> {
  const { target, folder, files, emit = emitNothing, dryRun = false } = options
  const missing = await findMissing(target, files)
  await requireSameRoots(target, folder, files, missing)
  if (dryRun || missing.length === 0) return missing
  const sizes = new Map(missing.map(({ path, size }) => [path, size]))
  const totalBytes = missing.reduce((sum, { size }) => sum + size, 0)
  let sentBytes = 0
  for (const batch of makeBatches(missing)) {
    await target.store(folder, batch, (path) => {
      sentBytes += sizes.get(path) ?? 0
      emit({ type: 'upload-progressed', subject: target.name, sentBytes, totalBytes })
    })
  }
  await requireSameRoots(target, folder, missing, [])
  return missing
}

function makeBatches(files: readonly RegistryFile[]): readonly (readonly string[])[] {
  const batches: string[][] = []
  let [batch, bytes]: [string[], number] = [[], 0]
  for (const { path, size } of files) {
    if (batch.length === 0 || batch.length === BATCH_FILES || bytes + size > BATCH_BYTES) {
      batch = []
      bytes = 0
      batches.push(batch)
    }
    batch.push(path)
    bytes += size
  }
  return batches
}

async function findMissing(target: PublishTarget, files: readonly RegistryFile[]): Promise<readonly RegistryFile[]> {
  const there = await target.sizes(files.map(({ path }) => path))
  const damaged = files.find(({ path, size }) => there.has(path) && there.get(path) !== size)
  if (damaged !== undefined && !isRoot(damaged)) {
    const what = `${damaged.path} has ${there.get(damaged.path)} bytes instead of ${damaged.size}`
    throw targetFailed(target.name, 'use what is there', `${what}; remove it if no other publisher is at work`)
  }
  return files.filter(({ path }) => !there.has(path))
}

/** Root files are named by number, so two publishers may have made different ones of the same name. */
async function requireSameRoots(
  target: PublishTarget,
  folder: string,
  files: readonly RegistryFile[],
  missing: readonly RegistryFile[],
): Promise<void> {
  for (const file of files.filter((one) => isRoot(one) && !missing.includes(one))) {
    const theirs = await readFromTarget(target, { path: file.path, maxBytes: FILE_LIMITS.root })
    if (theirs === undefined || Buffer.compare(theirs, await readFile(join(folder, file.path))) !== 0) {
      throw registryChanged(target.name)
    }
  }
}

function isRoot({ path }: RegistryFile): boolean {
  return path.startsWith('root/')
}
