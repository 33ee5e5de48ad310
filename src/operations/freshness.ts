/**
 * What expired envelopes mean after the last update (threats M04): nothing is installed from a source whose envelope is
 * past its policy; commands that only read go on and say so. Once half of its life is over, somebody should act (P04).
 */

import { VmpkgError } from '../errors.ts'
import { formatTime } from '../model/shape.ts'
import type { Source } from '../sources/source.ts'
import { TrustMarkStore } from '../state/trust-marks.ts'
import { markedSource } from './source-memory.ts'
import { sourceStore } from './sources.ts'
import type { Workspace } from './workspace.ts'

interface SourceFreshness {
  readonly name: string
  readonly expiresAt: Date
  /** `aging`: more than half of its life is over. `grace`: past its end, within the grace of the source. */
  readonly state: 'fresh' | 'aging' | 'grace' | 'expired'
}

/** Of sources with an envelope, snapshots left out: they have no age. By name. @throws {VmpkgError} `SOURCE_INVALID` */
export async function sourceFreshness(workspace: Workspace): Promise<readonly SourceFreshness[]> {
  const marks = new TrustMarkStore(workspace.trust, workspace.outside.clock)
  const now = workspace.outside.clock.now().getTime()
  return (await sourceStore(workspace).list()).flatMap((source) => {
    const envelope = marks.find(markedSource(source))?.envelope
    if (envelope === undefined || source.expiry.kind === 'snapshot') return []
    const [issuedMs, endMs] = [envelope.issuedAt.getTime(), envelope.expiresAt.getTime()]
    return [{ name: source.name, expiresAt: envelope.expiresAt, state: judge(now, issuedMs, endMs, source.expiry) }]
  })
}

/** @throws {VmpkgError} `ENVELOPE_EXPIRED` */
export async function requireFreshSources(workspace: Workspace, names: readonly string[]): Promise<void> {
  const stale = (await sourceFreshness(workspace)).find(
    ({ name, state }) => state === 'expired' && names.includes(name),
  )
  if (stale === undefined) return
  throw new VmpkgError('ENVELOPE_EXPIRED', `The package list of source ${stale.name} ${describeEnd(stale.expiresAt)}`, {
    hint: 'Run vmpkg update; if it stays, the registry is no longer maintained, your mirror is stuck or your clock is wrong.',
    details: { source: stale.name, expiresAt: stale.expiresAt.toISOString() },
  })
}

/** One line a source that is past its end. */
export async function warnExpired(workspace: Workspace): Promise<void> {
  for (const { name, expiresAt, state } of await sourceFreshness(workspace)) {
    if (state !== 'expired' && state !== 'grace') continue
    const message = `The package list of source ${name} ${describeEnd(expiresAt)}`
    workspace.outside.emit({ type: 'warned', code: 'ENVELOPE_EXPIRED', message, hint: 'Run vmpkg update.' })
  }
}

/** As `warnExpired`, and for what will expire. */
export async function warnOfAge(workspace: Workspace): Promise<void> {
  await warnExpired(workspace)
  for (const { name, expiresAt, state } of await sourceFreshness(workspace)) {
    if (state !== 'aging') continue
    workspace.outside.emit({
      type: 'warned',
      code: 'ENVELOPE_EXPIRED',
      message: `More than half of the life of source ${name} is over; it ends on ${expiresAt.toISOString().slice(0, 10)}`,
      hint: 'Run vmpkg update; if it stays, its publisher should run vmpkg repo resign.',
    })
  }
}

function judge(now: number, issuedMs: number, endMs: number, expiry: Source['expiry']): SourceFreshness['state'] {
  if (now < (issuedMs + endMs) / 2) return 'fresh'
  if (now < endMs) return 'aging'
  return now < endMs + (expiry.kind === 'grace' ? expiry.graceMs : 0) ? 'grace' : 'expired'
}

function describeEnd(expiresAt: Date): string {
  return `expired on ${formatTime(expiresAt)}`
}
