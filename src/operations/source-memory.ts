/**
 * What this host remembers of one source while it is refreshed: marks, files and evidence in the trust database, read once
 * and written as soon as something rises (threats M05, M06, M09, M13).
 */
import type { Envelope } from '../model/registry.ts'
import { formatTime } from '../model/shape.ts'
import type { Source } from '../sources/source.ts'
import { type MarkedSource, type SeenRegistry, TrustMarkStore } from '../state/trust-marks.ts'
import { formatTrustMarks, parseTrustMarks, type TrustMarks } from '../trust/marks.ts'
import type { TrustSession } from '../trust/session.ts'
import { shownUrl } from './sources.ts'
import type { Workspace } from './workspace.ts'

export class SourceMemory {
  readonly #store: TrustMarkStore
  readonly #source: Source
  readonly #own: MarkedSource
  readonly #seen: SeenRegistry | undefined
  /** Of this source itself. */
  readonly marks: TrustMarks | undefined
  /** Of its registry, by a source that is gone. */
  readonly earlier: TrustMarks | undefined

  /** @throws {VmpkgError} `STATE_INVALID` where marks cannot be read: never "nothing seen yet" */
  constructor(workspace: Workspace, source: Source) {
    this.#store = new TrustMarkStore(workspace.trust, workspace.outside.clock)
    this.#source = source
    this.#own = markedSource(source)
    this.#seen = this.#store.find(this.#own)
    this.marks = this.#seen && parseTrustMarks(this.#seen.marks)
    this.earlier =
      this.marks === undefined && source.expiry.kind !== 'snapshot'
        ? newest(this.#store.findEarlier(this.#own).map(({ marks }) => parseTrustMarks(marks)))
        : undefined
  }

  /** The root file that the marks name. */
  get root(): Uint8Array | undefined {
    return this.#seen?.root
  }

  /** A host that looks at a snapshot as of its date has no need of a right clock. */
  get newestSeen(): Date | undefined {
    return this.#source.expiry.kind === 'snapshot' ? undefined : this.#store.newestTime
  }

  keep(session: TrustSession): void {
    this.#store.put({ ...this.#own, marks: formatTrustMarks(session.marks) })
  }

  /** Only once the chain has come as far as earlier marks: they would no longer be asked. */
  keepRoot(session: TrustSession, root: Uint8Array): void {
    if (session.isCaughtUp) this.#store.put({ ...this.#own, marks: formatTrustMarks(session.marks), root })
  }

  keepEnvelope(session: TrustSession, { issuedAt, expiresAt }: Envelope, file: Uint8Array): void {
    const envelope = { file, issuedAt, expiresAt }
    this.#store.put({ ...this.#own, marks: formatTrustMarks(session.marks), envelope })
    if (this.#source.expiry.kind !== 'snapshot') this.#store.noteTime(issuedAt)
  }

  /** Both envelopes, whole. */
  keepEvidence(fact: string, offered: Uint8Array): void {
    const earlier = this.#store.findEarlier(this.#own).find(({ envelope }) => envelope !== undefined)
    const before = (this.#seen ?? earlier)?.envelope?.file
    this.#store.keepEvidence(this.#source.name, fact, {
      ...(before === undefined ? {} : { 'envelope-seen-before.json': before }),
      'envelope-offered-now.json': offered,
    })
  }
}

/** Under which name a source's marks are kept. */
export function markedSource(source: Source): MarkedSource {
  const { name, registryId, pin, expiry } = source
  return {
    registryId,
    source: expiry.kind === 'snapshot' ? `${name} as of ${formatTime(expiry.at)}` : name,
    url: shownUrl(source),
    pin: pin.sha256,
  }
}

/** The marks that lead farthest: by root file, then by envelope. */
function newest(all: readonly TrustMarks[]): TrustMarks | undefined {
  return all.toSorted(
    (a, b) => b.root.version - a.root.version || (b.envelope?.version ?? 0) - (a.envelope?.version ?? 0),
  )[0]
}
