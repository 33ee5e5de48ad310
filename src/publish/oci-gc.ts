/**
 * `repo gc` in an OCI repository: removes the artifacts of package versions and of former envelopes that nobody needs. The
 * same is needed as in a folder (`registry-gc.ts`). It has its turn as a publisher has: whoever wrote an artifact for a
 * version that is to come finds out in his own turn that it is gone, and writes it again. So there is no age below which
 * an artifact stays. Space is freed by the server's own garbage collection, which takes the blobs that nothing names.
 */
import { VmpkgError } from '../errors.ts'
import { parsePackageLine } from '../model/line-schema.ts'
import { packageTag, parseManifest, tagOf } from '../model/oci.ts'
import { FILE_LIMITS, formatIndexEntry, parseEnvelope, parseEnvelopeFile } from '../model/registry-schema.ts'
import type { Clock } from '../ports.ts'
import { withOciTurn } from './oci-turn.ts'
import { ENVELOPE_PATH } from './registry-folder.ts'
import { type FormerVersion, type GcResult, KEEP_DAYS, parseFormer, recentVersions } from './registry-gc.ts'
import { DAY_MS } from './registry-version.ts'
import type { OciTarget } from './target-oci.ts'

export interface OciGcOptions {
  readonly target: OciTarget
  readonly clock: Clock
  /** Versions that were current within so many days stay; default 7. */
  readonly keepDays?: number
  readonly dryRun?: boolean
  readonly signal?: AbortSignal | undefined
}

interface Judged {
  readonly envelopeFile: Uint8Array
  /** Tags that nobody needs. */
  readonly garbage: readonly string[]
  readonly versions: number
  readonly snapshots: number
}

/** @throws {VmpkgError} `REGISTRY_CHANGED` `LOCK_HELD` `TARGET_FAILED`, or what is damaged so that nothing can be judged */
export async function collectOciGarbage(options: OciGcOptions): Promise<GcResult> {
  const { target, dryRun = false, signal } = options
  const { artifacts } = target
  const { envelopeFile, garbage, versions, snapshots } = await judge(options)
  const removed: { path: string; size: number }[] = []
  for (const path of garbage) removed.push({ path, size: await sizeOf(target, path) })
  if (!dryRun && garbage.length > 0) {
    await withOciTurn({ artifacts, before: envelopeFile, signal }, async (lease) => {
      for (const tag of garbage) {
        lease.remaining() // what is left has the next turn
        if (!(await artifacts.delete(tag))) throw cannotDelete(target.name)
      }
    })
  }
  const freedBytes = removed.reduce((sum, { size }) => sum + size, 0)
  return { removed, freedBytes, young: 0, versions, snapshots }
}

async function judge({ target, clock, keepDays = KEEP_DAYS }: OciGcOptions): Promise<Judged> {
  const read = async (path: string, maxBytes: number): Promise<Uint8Array> => {
    const file = await target.read(path, maxBytes)
    if (file !== undefined) return file
    throw new VmpkgError('REGISTRY_INVALID', `There is no ${path} at ${target.name}`, {
      hint: 'Check the address; vmpkg repo push FOLDER ADDRESS puts a registry there.',
    })
  }
  const envelopeFile = await read(ENVELOPE_PATH, FILE_LIMITS.envelopeFile)
  const envelope = parseEnvelope(parseEnvelopeFile(envelopeFile).payload)
  const former: FormerVersion[] = []
  for (const path of await target.list(['history'])) {
    former.push({ path, envelope: parseFormer(path, await read(path, FILE_LIMITS.envelope)) })
  }
  const recent = recentVersions(envelope, former, clock.now().getTime() - keepDays * DAY_MS)
  const snapshots: FormerVersion[] = []
  for (const path of await target.list(['snapshot'])) {
    snapshots.push({ path, envelope: parseFormer(path, await read(path, FILE_LIMITS.envelope)) })
  }
  const kept = [envelope, ...[...recent, ...snapshots].map((one) => one.envelope)]
  const needed = new Set(recent.map(({ path }) => tagOf(path)))
  for (const index of new Map(kept.map((one) => [one.index.sha256, one])).values()) {
    for (const entry of await target.readEntries(index)) {
      needed.add(packageTag(parsePackageLine(entry.line), formatIndexEntry(entry)))
    }
  }
  const history = former.map(({ path }) => tagOf(path))
  const packages = (await target.artifacts.repository.listTags()).filter((tag) => tag.startsWith('package.'))
  return {
    envelopeFile,
    garbage: [...packages, ...history].filter((tag) => !needed.has(tag)).toSorted(),
    versions: recent.length,
    snapshots: snapshots.length,
  }
}

/** Bytes of the files that an artifact names; others may name them as well. */
async function sizeOf({ artifacts }: OciTarget, tag: string): Promise<number> {
  const manifest = await artifacts.repository.readManifest(tag)
  return manifest === undefined ? 0 : parseManifest(manifest).reduce((sum, { size }) => sum + size, 0)
}

function cannotDelete(name: string): VmpkgError {
  return new VmpkgError('NO_RIGHTS', `${name} deletes nothing`, {
    hint: 'Allow it there (docker-registry: storage, delete, enabled: true), or give your account that right.',
  })
}
