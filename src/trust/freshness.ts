/**
 * Time in trust: expiry by the source's policy and the clock rules (formats 2.6, threats M04, M13). `now` is fixed once
 * for a whole refresh, so that nothing can expire half way through one. Times are UTC.
 */
import { VmpkgError } from '../errors.ts'

/** What a source does about expiry. A snapshot is looked at as of its own date, keys included. */
export type FreshnessPolicy =
  | { readonly kind: 'strict' }
  | { readonly kind: 'grace'; readonly graceMs: number }
  | { readonly kind: 'snapshot'; readonly at: Date }

/** `grace`: past its expiry but within the policy's grace; the caller warns. */
export type Freshness = 'fresh' | 'grace'

/** How far clocks of publisher and client may differ. */
export const CLOCK_TOLERANCE_MS = 10 * 60 * 1000

/** @throws {VmpkgError} the given code */
export function verifyNotExpired(
  expiresAt: Date,
  now: Date,
  policy: FreshnessPolicy,
  failure: { readonly code: 'ROOT_EXPIRED' | 'ENVELOPE_EXPIRED'; readonly subject: string },
): Freshness {
  if (now < expiresAt) return 'fresh'
  const graceMs = policy.kind === 'grace' ? policy.graceMs : 0
  if (now.getTime() < expiresAt.getTime() + graceMs) return 'grace'
  throw new VmpkgError(failure.code, `${failure.subject} expired on ${expiresAt.toISOString()}`, {
    hint: 'Run `vmpkg update`; if it stays, the registry is no longer maintained, your mirror is stuck or your clock is wrong.',
    details: { expiresAt: expiresAt.toISOString(), now: now.toISOString() },
  })
}

/** Refuses a clock that stands before what it has already seen. @throws {VmpkgError} `CLOCK_WRONG` */
export function verifyClockNotBehind(now: Date, lastIssuedAt: Date | undefined): void {
  if (lastIssuedAt === undefined || now.getTime() + CLOCK_TOLERANCE_MS >= lastIssuedAt.getTime()) return
  throw clockWrong(`The clock says ${now.toISOString()}, but a registry was seen as of ${lastIssuedAt.toISOString()}`)
}

/** Refuses a document from the future. @throws {VmpkgError} `CLOCK_WRONG` */
export function verifyNotFromFuture(issuedAt: Date, now: Date): void {
  if (issuedAt.getTime() <= now.getTime() + CLOCK_TOLERANCE_MS) return
  throw clockWrong(`The envelope was issued at ${issuedAt.toISOString()}, but the clock says ${now.toISOString()}`)
}

function clockWrong(message: string): VmpkgError {
  return new VmpkgError('CLOCK_WRONG', message, {
    hint: 'Set the clock of this machine, for example by NTP, and try again.',
  })
}
