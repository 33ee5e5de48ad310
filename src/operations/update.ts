/**
 * Refreshes the package lists of all sources. A source that fails keeps its old list and fails the command at the end; the
 * others are refreshed all the same. Offline, sources in folders are refreshed and the others told as they are known.
 */

import { availableParallelism } from 'node:os'
import type { CatalogueSource, Vanished } from '../catalogue/catalogue.ts'
import { LINES_PER_THREAD, VerifyPool } from '../catalogue/verify-pool.ts'
import { isVmpkgError, VmpkgError } from '../errors.ts'
import { formatTime } from '../model/shape.ts'
import type { Source } from '../sources/source.ts'
import { localVerifier } from '../trust/index-lines.ts'
import { type OpenCatalogue, openCatalogue } from './catalogue.ts'
import { type OfferedLists, refreshSource } from './refresh-source.ts'
import { SourceMemory } from './source-memory.ts'
import { sourceStore } from './sources.ts'
import type { Workspace } from './workspace.ts'

export interface UpdatedSource {
  readonly name: string
  /** Of the registry. */
  readonly version: number
  readonly packages: number
  /** False when the registry is the same as last time. */
  readonly changed: boolean
  /** When its lists were last verified to be the newest. */
  readonly refreshedAt: Date
  /** True where it was not asked: this is what was known already. */
  readonly offline: boolean
}

/** @throws {VmpkgError} `SOURCE_UNKNOWN` when there is none; an `AggregateError` of what failed, source by source */
export async function update(workspace: Workspace): Promise<{ readonly sources: readonly UpdatedSource[] }> {
  const sources = await sourceStore(workspace).list()
  if (sources.length === 0) {
    throw new VmpkgError('SOURCE_UNKNOWN', 'There is no source to update from', {
      hint: 'There is no default registry: add one with vmpkg source add NAME URL --root-file FILE.',
    })
  }
  using catalogue = openCatalogue(workspace)
  const updated: UpdatedSource[] = []
  const failures: Error[] = []
  for (const source of sources) {
    try {
      updated.push(await updateSource(workspace, catalogue, source))
    } catch (error) {
      if (!isVmpkgError(error) || error.code === 'ABORTED') throw error
      const known = error.code === 'OFFLINE' ? knownOf(workspace, catalogue, source) : undefined
      if (known !== undefined) {
        updated.push(known)
        continue
      }
      failures.push(nameSource(source, error))
    }
  }
  const [only, ...others] = failures
  if (only !== undefined) throw others.length === 0 ? only : new AggregateError(failures, 'Several sources failed')
  return { sources: updated }
}

/** One source alone. @throws {VmpkgError} why it could not be refreshed */
export async function updateOne(workspace: Workspace, source: Source): Promise<UpdatedSource> {
  using catalogue = openCatalogue(workspace)
  return await updateSource(workspace, catalogue, source)
}

async function updateSource(workspace: Workspace, catalogue: OpenCatalogue, source: Source): Promise<UpdatedSource> {
  const { clock, emit } = workspace.outside
  const { name, priority, addedAt } = source
  emit({ type: 'stage-started', stage: 'update', subject: name })
  const known = catalogue.sources().find((one) => one.name === name)
  const refreshedAt = clock.now()
  let vanished: Vanished['vanished'] = []
  const { envelope, freshness, changed } = await refreshSource(workspace, source, known, async (lists) => {
    vanished = await takeIn(catalogue, { name, priority, addedAt }, lists, refreshedAt)
  })
  if (freshness === 'grace') {
    const message = `Source ${name} has expired; its grace period runs`
    emit({ type: 'warned', code: 'ENVELOPE_EXPIRED', message, hint: 'Its publisher should run vmpkg repo resign.' })
  }
  if (!changed) catalogue.renew(name, { refreshedAt, expiresAt: envelope.expiresAt })
  for (const gone of vanished) {
    const message = `${gone.name} ${gone.version} has vanished from ${name} without having been withdrawn`
    emit({ type: 'warned', code: 'INDEX_INVALID', message, hint: 'Ask its publisher why.' })
  }
  emit({
    type: 'stage-finished',
    stage: 'update',
    subject:
      source.expiry.kind === 'snapshot'
        ? `${name}, signed, as of ${formatTime(envelope.issuedAt)}`
        : `${name}, signed and fresh until ${formatTime(envelope.expiresAt)}`,
  })
  return {
    name,
    version: envelope.version,
    packages: envelope.index.count,
    changed,
    refreshedAt,
    offline: false,
  }
}

/** Into the catalogue goes what has changed; many new lines are verified by threads. */
async function takeIn(
  catalogue: OpenCatalogue,
  source: CatalogueSource,
  { session, envelope, channels, unpackedIndex }: OfferedLists,
  refreshedAt: Date,
): Promise<Vanished['vanished']> {
  const rootSha256 = session.root.file.sha256
  const refresh = { envelope, channels, rootSha256, keysHold: await session.keysHold(), refreshedAt }
  if (unpackedIndex === undefined) {
    await catalogue.relabel(source, refresh)
    return []
  }
  await using pools = new AsyncDisposableStack()
  const { vanished } = await catalogue.replace(source, refresh, (known) =>
    session.readIndexLines(unpackedIndex, {
      known,
      atOnce: availableParallelism() + 2,
      verifier: (root, keysAt, count) => {
        const threads = Math.min(availableParallelism(), Math.floor(count / LINES_PER_THREAD))
        if (threads < 2) return localVerifier(root, keysAt)
        return pools.use(new VerifyPool({ root: root.root, keysAt }, threads)).verify
      },
    }),
  )
  return vanished
}

/** What is known of a source that cannot be asked now. */
function knownOf(workspace: Workspace, catalogue: OpenCatalogue, source: Source): UpdatedSource | undefined {
  const { name } = source
  const known = catalogue.sources().find((one) => one.name === name)
  if (known === undefined) return undefined
  const version = new SourceMemory(workspace, source).marks?.envelope?.version
  const { refreshedAt, count } = known
  return { name, version: version ?? 0, packages: count, changed: false, refreshedAt, offline: true }
}

function nameSource({ name }: Source, { code, message, hint, cause, details }: VmpkgError): VmpkgError {
  return new VmpkgError(code, `Source ${name}: ${message}`, { ...(hint === undefined ? {} : { hint }), cause, details })
}
