/**
 * Refreshes the package lists of all sources: root chain, envelope, index, channels, each verified before the next is
 * asked for; high-water marks are stored as soon as they rise. A source that fails keeps its old list and fails the
 * command at the end; the others are refreshed all the same.
 */
import { isVmpkgError, VmpkgError } from '../errors.ts'
import { fetchDigested, fetchSmallFile, findSmallFile } from '../fetch/small-file.ts'
import { FILE_LIMITS } from '../model/registry-schema.ts'
import { channelsPath, ENVELOPE_PATH, indexPath, rootPath, snapshotPath } from '../sources/locations.ts'
import type { Source } from '../sources/source.ts'
import { peekRootVersion } from '../trust/envelope.ts'
import { startingRoot, TrustSession } from '../trust/session.ts'
import { type OpenCatalogue, openCatalogue } from './catalogue.ts'
import { SourceMemory } from './source-memory.ts'
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
  const memory = new SourceMemory(workspace, source)
  const mirror = mirrorOfSource(workspace, source)
  const isSnapshot = source.expiry.kind === 'snapshot'
  const envelopePath = source.expiry.kind === 'snapshot' ? snapshotPath(source.expiry.at) : ENVELOPE_PATH
  const fetchEnvelope = () => fetchSmallFile(mirror, { path: envelopePath, maxBytes: FILE_LIMITS.envelope, signal })

  const session = await openSession(workspace, source, memory)
  // A snapshot is looked at under the root file of its own time, which it names; the newest one may know nothing of it.
  const early = isSnapshot ? await fetchEnvelope() : undefined
  const lastRoot = early === undefined ? Number.MAX_SAFE_INTEGER : peekRootVersion(early)
  while (session.nextRootVersion <= lastRoot) {
    const path = rootPath(session.nextRootVersion)
    const next = await findSmallFile(mirror, { path, maxBytes: FILE_LIMITS.root, signal })
    if (next === undefined) break
    await session.acceptRoot(next)
    memory.keepRoot(session, next)
  }
  const file = early ?? (await fetchEnvelope())
  const { envelope, freshness } = await acceptEnvelope(session, file, memory)
  memory.keepEnvelope(session, envelope, file)
  if (freshness === 'grace') {
    const message = `Source ${source.name} has expired; its grace period runs`
    emit({ type: 'warned', code: 'ENVELOPE_EXPIRED', message, hint: 'Its publisher should run vmpkg repo resign.' })
  }
  const known = catalogue.sources().find(({ name }) => name === source.name)
  // A new root may have withdrawn a publisher: its packages are then judged anew although the index is the same.
  const sameRoot = memory.marks?.root.sha256 === session.marks.root.sha256
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
    memory.keep(session)
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
    subject: isSnapshot
      ? `${source.name}, signed, as of ${envelope.issuedAt.toISOString()}`
      : `${source.name}, signed and fresh until ${envelope.expiresAt.toISOString()}`,
  })
  return { name: source.name, version: envelope.version, packages: envelope.index.count, changed }
}

/** From what this source has seen itself; else from its pin, with what was seen of its registry before in mind. */
async function openSession(workspace: Workspace, source: Source, memory: SourceMemory): Promise<TrustSession> {
  const { marks, earlier, newestSeen } = memory
  const options = {
    pin: source.pin,
    policy: source.expiry,
    now: workspace.outside.clock.now(),
    ...(marks === undefined ? {} : { marks }),
    ...(earlier === undefined ? {} : { earlier }),
    ...(newestSeen === undefined ? {} : { newestSeen }),
    // Whoever asks for an old snapshot by its date does not have it slipped in.
    ...(source.minimumVersion === undefined || source.expiry.kind === 'snapshot'
      ? {}
      : { minimumVersion: source.minimumVersion }),
  }
  const start = startingRoot(options)
  const isPinned = start.sha256 === source.pin.sha256
  const stored = isPinned ? await sourceStore(workspace).readPinnedRoot(source) : memory.root
  const { signal } = workspace.outside
  const fetchRoot = () =>
    fetchSmallFile(mirrorOfSource(workspace, source), {
      path: rootPath(start.version),
      maxBytes: FILE_LIMITS.root,
      signal,
    })
  return TrustSession.open(options, stored ?? (await fetchRoot()))
}

/** Two envelopes of one version are kept as evidence, both whole (M09). */
async function acceptEnvelope(
  session: TrustSession,
  file: Uint8Array,
  memory: SourceMemory,
): ReturnType<TrustSession['acceptEnvelope']> {
  try {
    return await session.acceptEnvelope(file)
  } catch (error) {
    if (isVmpkgError(error, 'ENVELOPE_EQUIVOCATED')) memory.keepEvidence(error.message, file)
    throw error
  }
}

function nameSource({ name }: Source, { code, message, hint, cause, details }: VmpkgError): VmpkgError {
  return new VmpkgError(code, `Source ${name}: ${message}`, { ...(hint === undefined ? {} : { hint }), cause, details })
}
