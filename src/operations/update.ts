/**
 * Refreshes the package lists of all sources: root chain, envelope, index, channels, each verified before the next is
 * asked for; high-water marks are stored as soon as they rise. A source that fails keeps its old list and fails the
 * command at the end; the others are refreshed all the same.
 */
import { isVmpkgError, VmpkgError } from '../errors.ts'
import type { Mirror } from '../fetch/mirror.ts'
import { fetchDigested, fetchSmallFile, findSmallFile } from '../fetch/small-file.ts'
import { FILE_LIMITS } from '../model/registry-schema.ts'
import { channelsPath, ENVELOPE_PATH, indexPath, rootPath } from '../sources/locations.ts'
import type { Source } from '../sources/source.ts'
import { TrustMarkStore } from '../state/trust-marks.ts'
import { formatTrustMarks, parseTrustMarks, type TrustMarks } from '../trust/marks.ts'
import { startingRoot, TrustSession } from '../trust/session.ts'
import { type OpenCatalogue, openCatalogue } from './catalogue.ts'
import { mirrorOfSource, sourceStore } from './sources.ts'
import type { Workspace } from './workspace.ts'

export interface UpdatedSource {
  readonly name: string
  /** Of the registry. */
  readonly version: number
  readonly packages: number
  /** False when the registry is the same as last time. */
  readonly changed: boolean
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
      failures.push(nameSource(source, error))
    }
  }
  const [only, ...others] = failures
  if (only !== undefined) throw others.length === 0 ? only : new AggregateError(failures, 'Several sources failed')
  return { sources: updated }
}

async function updateSource(workspace: Workspace, catalogue: OpenCatalogue, source: Source): Promise<UpdatedSource> {
  const { clock, emit, signal } = workspace.outside
  emit({ type: 'stage-started', stage: 'update', subject: source.name })
  const store = new TrustMarkStore(workspace.trust, clock)
  const stored = store.find(source.name)
  const marks = stored === undefined ? undefined : parseTrustMarks(stored)
  const mirror = mirrorOfSource(workspace, source)
  const keep = (session: TrustSession): void => store.put(source.name, formatTrustMarks(session.marks))

  const session = await openSession(workspace, mirror, source, marks)
  for (;;) {
    const path = rootPath(session.nextRootVersion)
    const next = await findSmallFile(mirror, { path, maxBytes: FILE_LIMITS.root, signal })
    if (next === undefined) break
    await session.acceptRoot(next)
    keep(session)
  }
  const file = await fetchSmallFile(mirror, { path: ENVELOPE_PATH, maxBytes: FILE_LIMITS.envelope, signal })
  const { envelope, freshness } = await acceptEnvelope(session, file, store, source)
  keep(session)
  if (freshness === 'grace') {
    const message = `Source ${source.name} has expired; its grace period runs`
    emit({ type: 'warned', code: 'ENVELOPE_EXPIRED', message, hint: 'Its publisher should run vmpkg repo resign.' })
  }
  const known = catalogue.sources().find(({ name }) => name === source.name)
  // A new root may have withdrawn a publisher: its packages are then judged anew although the index is the same.
  const sameRoot = marks?.root.sha256 === session.marks.root.sha256
  const sameLists = known?.indexSha256 === envelope.index.sha256 && known.channelsSha256 === envelope.channels.sha256
  const changed = !sameRoot || !sameLists
  if (changed) {
    const indexFile = await fetchDigested(mirror, {
      path: indexPath(envelope.index.sha256),
      expected: envelope.index,
      signal,
    })
    const index = await session.acceptIndex(indexFile)
    const path = channelsPath(envelope.channels.sha256)
    const channels = await session.acceptChannels(
      await fetchDigested(mirror, { path, expected: envelope.channels, signal }),
    )
    keep(session)
    const { name, priority, addedAt } = source
    const { vanished } = catalogue.replace(
      { name, priority, addedAt },
      { envelope, index, channels, refreshedAt: clock.now() },
    )
    for (const gone of vanished) {
      const message = `${gone.name} ${gone.version} has vanished from ${name} without having been withdrawn`
      emit({ type: 'warned', code: 'INDEX_INVALID', message, hint: 'Ask its publisher why.' })
    }
  }
  emit({
    type: 'stage-finished',
    stage: 'update',
    subject: `${source.name}, signed and fresh until ${envelope.expiresAt.toISOString()}`,
  })
  return { name: source.name, version: envelope.version, packages: envelope.index.count, changed }
}

async function openSession(
  workspace: Workspace,
  mirror: Mirror,
  source: Source,
  marks: TrustMarks | undefined,
): Promise<TrustSession> {
  const { clock, signal } = workspace.outside
  const options = {
    pin: source.pin,
    policy: source.expiry,
    now: clock.now(),
    ...(marks === undefined ? {} : { marks }),
  }
  const start = startingRoot(options)
  const isPinned = start.sha256 === source.pin.sha256
  const file = isPinned
    ? await sourceStore(workspace).readPinnedRoot(source)
    : await fetchSmallFile(mirror, { path: rootPath(start.version), maxBytes: FILE_LIMITS.root, signal })
  return TrustSession.open(options, file)
}

/** Two envelopes of one version are kept as evidence (M09). */
async function acceptEnvelope(
  session: TrustSession,
  file: Uint8Array,
  store: TrustMarkStore,
  source: Source,
): ReturnType<TrustSession['acceptEnvelope']> {
  try {
    return await session.acceptEnvelope(file)
  } catch (error) {
    if (isVmpkgError(error, 'ENVELOPE_EQUIVOCATED')) {
      const seen = Buffer.from(formatTrustMarks(session.marks))
      store.keepEvidence(source.name, error.message, {
        'marks of the envelope seen before': seen,
        'envelope offered now': file,
      })
    }
    throw error
  }
}

function nameSource({ name }: Source, { code, message, hint, cause, details }: VmpkgError): VmpkgError {
  return new VmpkgError(code, `Source ${name}: ${message}`, { ...(hint === undefined ? {} : { hint }), cause, details })
}
