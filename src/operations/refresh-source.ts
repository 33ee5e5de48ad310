/**
 * One source's package lists from its mirrors: root chain, envelope, index, channels, each verified before the next is
 * asked for. Mirrors may be out of step with each other (threats M14): root files and what the envelope names come from
 * whichever has them, an envelope that does not verify or is older than one seen sends us to the next mirror, and marks
 * rise only with an envelope whose lists are here, so that an older complete state is still good when a newer one is not
 * served yet. Two envelopes of one version are never a matter of luck with mirrors: they end the refresh (M09).
 */
import { isVmpkgError, VmpkgError } from '../errors.ts'
import { showUrl } from '../fetch/locate.ts'
import { inOrder, type Mirror, type MirrorSet } from '../fetch/mirror.ts'
import type { Fault } from '../fetch/penalties.ts'
import { fetchDigested, fetchSmallFile, findSmallFile } from '../fetch/small-file.ts'
import type { Channels, Envelope } from '../model/registry.ts'
import { FILE_LIMITS } from '../model/registry-schema.ts'
import { channelsPath, ENVELOPE_PATH, indexPath, rootPath, snapshotPath } from '../sources/locations.ts'
import type { Source } from '../sources/source.ts'
import { peekRootVersion } from '../trust/envelope.ts'
import type { Freshness } from '../trust/freshness.ts'
import { startingRoot, TrustSession, type TrustSessionOptions } from '../trust/session.ts'
import type { Verified } from '../trust/verified.ts'
import { SourceMemory } from './source-memory.ts'
import { mirrorsOfSource, sourceStore } from './sources.ts'
import type { Workspace } from './workspace.ts'

/** The lists as the catalogue has them; what is the same is not fetched again. */
export interface KnownLists {
  /** Root file with which they were verified. */
  readonly rootSha256: string
  readonly indexSha256: string
  readonly channelsSha256: string
}

export interface RefreshedLists {
  readonly envelope: Verified<Envelope>
  readonly freshness: Freshness
  /** False where the lists are those that are known. */
  readonly changed: boolean
}

export interface OfferedLists {
  readonly session: TrustSession
  readonly envelope: Verified<Envelope>
  readonly channels: Verified<Channels>
  /** Absent where the index is the one that is known. */
  readonly unpackedIndex?: Verified<Uint8Array>
}

/** Reads the lines and keeps them, all or none. What it refuses sends us to the next mirror. */
export type TakeLists = (lists: OfferedLists) => Promise<void>

interface Refreshing {
  readonly workspace: Workspace
  readonly source: Source
  readonly from: MirrorSet
  readonly memory: SourceMemory
  /** The envelope, or the snapshot of the source's date. */
  readonly envelopePath: string
  readonly options: TrustSessionOptions
  readonly take: TakeLists
}

/** A mirror that was passed over, and why. */
interface PassedOver {
  readonly mirror: Mirror
  readonly error: VmpkgError
}

/**
 * Once more where all mirrors fail because something is missing: the publisher may have replaced what an envelope named
 * between our two requests.
 */
const MAX_ROUNDS = 2

/** @throws {VmpkgError} what the best mirror's documents are refused for, `DOWNLOAD_FAILED`, `OFFLINE`, `ABORTED` … */
export async function refreshSource(
  workspace: Workspace,
  source: Source,
  known: KnownLists | undefined,
  take: TakeLists,
): Promise<RefreshedLists> {
  const { emit } = workspace.outside
  const memory = new SourceMemory(workspace, source)
  const from = await mirrorsOfSource(workspace, source)
  const envelopePath = source.expiry.kind === 'snapshot' ? snapshotPath(source.expiry.at) : ENVELOPE_PATH
  const options = sessionOptions(workspace, source, memory)
  const refreshing = { workspace, source, from, memory, envelopePath, options, take }
  const passed: PassedOver[] = []
  const walked = await walkRoots(refreshing, passed)
  for (let round = 1; ; round++) {
    const failed: PassedOver[] = []
    for (const mirror of inOrder(from)) {
      try {
        const refreshed = await refreshFrom(refreshing, mirror, walked, known)
        for (const { mirror: other, error } of [...passed, ...failed]) warn(emit, source, other, error)
        return refreshed
      } catch (error) {
        if (!isVmpkgError(error) || isTheEnd(error)) throw error
        failed.push({ mirror, error })
        blame(from, mirror, error)
      }
    }
    const isMissing = failed.some(({ error }) => [404, 410].includes(Number(error.details['status'])))
    if (round < MAX_ROUNDS && isMissing && !isNowhere(failed)) continue
    const worst = failed.find(({ error }) => !error.code.startsWith('DOWNLOAD_')) ?? failed[0]
    throw worst?.error ?? new TypeError('a source without a mirror')
  }
}

/** From what this source has seen itself; else from its pin, with what was seen of its registry before in mind. */
function sessionOptions({ outside }: Workspace, source: Source, memory: SourceMemory): TrustSessionOptions {
  const { marks, earlier, newestSeen } = memory
  const { pin, expiry, minimumVersion } = source
  return {
    pin,
    policy: expiry,
    now: outside.clock.now(),
    ...(marks === undefined ? {} : { marks }),
    ...(earlier === undefined ? {} : { earlier }),
    ...(newestSeen === undefined ? {} : { newestSeen }),
    // Whoever asks for an old snapshot by its date does not have it slipped in.
    ...(minimumVersion === undefined || expiry.kind === 'snapshot' ? {} : { minimumVersion }),
  }
}

/** Each next root file is taken from the first mirror whose copy verifies. */
async function walkRoots(refreshing: Refreshing, passed: PassedOver[]): Promise<TrustSession> {
  const { workspace, source, from, memory, options, envelopePath } = refreshing
  const { signal } = workspace.outside
  const start = startingRoot(options)
  const limits = { maxBytes: FILE_LIMITS.root, signal }
  const file: Uint8Array =
    start.sha256 === source.pin.sha256
      ? await sourceStore(workspace).readPinnedRoot(source)
      : (memory.root ?? (await fetchSmallFile(from, { path: rootPath(start.version), ...limits })))
  const session = await TrustSession.open(options, file)
  // A snapshot is looked at under the root file of its own time, which it names; the newest one may know nothing of it.
  const lastRoot =
    source.expiry.kind === 'snapshot'
      ? peekRootVersion(await fetchSmallFile(from, { path: envelopePath, maxBytes: FILE_LIMITS.envelopeFile, signal }))
      : Number.MAX_SAFE_INTEGER
  for (;;) {
    if (session.nextRootVersion > lastRoot) return session
    const path = rootPath(session.nextRootVersion)
    const faults: PassedOver[] = []
    let isAbsent = false
    let isAccepted = false
    for (const mirror of inOrder(from)) {
      try {
        const next = await findSmallFile(mirror, { path, ...limits })
        if (next === undefined) isAbsent = true
        else {
          await session.acceptRoot(next)
          isAccepted = true
          memory.keepRoot(session, next)
          break
        }
      } catch (error) {
        if (!isVmpkgError(error) || isTheEnd(error)) throw error
        faults.push({ mirror, error })
      }
    }
    const [fault] = faults
    if (!isAccepted && !isAbsent && fault !== undefined) throw fault.error
    for (const { mirror, error } of faults) blame(from, mirror, error)
    passed.push(...faults)
    if (!isAccepted) return session
  }
}

async function refreshFrom(
  { workspace, source, from, memory, envelopePath, take }: Refreshing,
  mirror: Mirror,
  walked: TrustSession,
  before: KnownLists | undefined,
): Promise<RefreshedLists> {
  const { signal } = workspace.outside
  const file = await fetchSmallFile(mirror, { path: envelopePath, maxBytes: FILE_LIMITS.envelopeFile, signal })
  // A root file that was seen holds for every mirror, and for good; a snapshot's chain has its end already.
  if (source.expiry.kind !== 'snapshot') {
    await walked.acceptCarriedRoots(file, (root) => memory.keepRoot(walked, root))
  }
  // A new root may have withdrawn a publisher: its packages are then judged anew although the index is the same. What the
  // catalogue was judged by is asked, not the marks, which rise before the catalogue changes (L01).
  const known = before?.rootSha256 === walked.root.file.sha256 ? before : undefined
  const session = walked.fork()
  const { envelope, freshness } = await acceptEnvelope(session, file, memory)
  const { index, channels } = envelope
  const isSameIndex = known?.indexSha256 === index.sha256
  const changed = !isSameIndex || known.channelsSha256 !== channels.sha256
  if (changed) {
    const nearest = { ...from, mirrors: [mirror, ...from.mirrors.filter((one) => one !== mirror)] as const }
    const channelsFile = await fetchDigested(nearest, {
      path: channelsPath(channels.sha256),
      expected: channels,
      signal,
    })
    const offered = { session, envelope, channels: await session.acceptChannels(channelsFile) }
    if (isSameIndex) await take(offered)
    else {
      // The packed file is given up at once: packed and unpacked together are a large part of what an update takes.
      const unpackedIndex = session.unpackIndex(
        await fetchDigested(nearest, { path: indexPath(index.sha256), expected: index, signal }),
      )
      await take({ ...offered, unpackedIndex })
    }
  }
  memory.keepEnvelope(session, envelope, file)
  return { envelope, freshness, changed }
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

/** No other mirror may talk us out of it. */
function isTheEnd(error: VmpkgError): boolean {
  return ['ABORTED', 'ENVELOPE_EQUIVOCATED', 'STATE_INVALID', 'NO_SPACE'].includes(error.code)
}

/** True where no mirror had even an envelope. */
function isNowhere(failed: readonly PassedOver[]): boolean {
  return failed.every(({ error }) => String(error.details['url']).endsWith(`/${ENVELOPE_PATH}`))
}

function blame({ penalties }: MirrorSet, { base }: Mirror, { code, details }: VmpkgError): void {
  const faults: Readonly<Partial<Record<VmpkgError['code'], Fault | 'none'>>> = {
    OFFLINE: 'none',
    // What goes wrong on the line has been counted where it went wrong.
    DOWNLOAD_FAILED: 'none',
    DOWNLOAD_STALLED: 'none',
    ENVELOPE_ROLLED_BACK: 'missing',
    CHANNELS_ROLLED_BACK: 'missing',
    ENVELOPE_EXPIRED: 'missing',
  }
  const isAbsent = [404, 410].includes(Number(details['status']))
  const fault = isAbsent ? 'missing' : (faults[code] ?? 'wrong-bytes')
  if (fault !== 'none') penalties.blame(base, fault)
}

function warn(
  emit: Workspace['outside']['emit'],
  source: Source,
  { base }: Mirror,
  { code, message }: VmpkgError,
): void {
  if (code === 'OFFLINE') return
  emit({
    type: 'warned',
    code,
    message: `Source ${source.name}: mirror ${showUrl(base)} was passed over: ${message}`,
    hint: 'Another mirror had what is needed. If this stays, tell whoever runs that one.',
  })
}
