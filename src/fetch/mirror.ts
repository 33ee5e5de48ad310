/**
 * Where files are fetched from and how patiently: one mirror, or the mirrors of a source in the user's order. Functions of
 * `fetch/` take either.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Http, ProxyChoice } from '../ports.ts'
import { aborted, DEFAULT_STALL, type StallPolicy } from './body.ts'
import type { OciSession } from './oci-session.ts'
import { noPenalties, type Penalties } from './penalties.ts'

export interface Mirror {
  readonly http: Http
  /** `https:`, `http:`, `file:`, `oci:`, `oci+http:`; a user and password in it become an `Authorization` header. */
  readonly base: URL
  /** Who we are to an OCI registry; nobody without it. */
  readonly oci?: OciSession
  /** Headers with credentials; sent to the origin of `base` over https only (threats D12). */
  readonly credentials?: Readonly<Record<string, string>>
  /** As the environment says by default. */
  readonly proxy?: ProxyChoice
  readonly stall?: StallPolicy
  readonly retry?: RetryPolicy
}

export interface MirrorSet {
  /** In the user's order; at least one. */
  readonly mirrors: readonly [Mirror, ...Mirror[]]
  readonly penalties: Penalties
}

export type Mirrors = Mirror | MirrorSet

export interface RetryPolicy {
  /** Tries in a row that bring not a single byte. */
  readonly fruitless: number
  /** Tries in all. */
  readonly total: number
  /** Milliseconds before the second try; doubles with each fruitless one, up to 5 s. */
  readonly delayMs: number
}

const DEFAULT_RETRY: RetryPolicy = { fruitless: 4, total: 50, delayMs: 250 }
const MAX_DELAY_MS = 5000

export function mirrorSet(from: Mirrors): MirrorSet {
  return 'mirrors' in from ? from : { mirrors: [from], penalties: noPenalties }
}

/** Those in good standing first, else as the user wrote them. */
export function inOrder(from: Mirrors): readonly [Mirror, ...Mirror[]] {
  const { mirrors, penalties } = mirrorSet(from)
  const [first, ...others] = mirrors
    .map((mirror) => ({ mirror, weight: penalties.weightOf(mirror.base) }))
    .toSorted((a, b) => a.weight - b.weight)
    .map(({ mirror }) => mirror)
  return first === undefined ? mirrors : [first, ...others]
}

/** Where files come from, for events: `local` where every place is a folder. */
export function originOf(from: Mirrors): 'local' | 'network' {
  return mirrorSet(from).mirrors.every(({ base }) => base.protocol === 'file:') ? 'local' : 'network'
}

export function stallPolicy(mirror: Mirror): StallPolicy {
  return mirror.stall ?? DEFAULT_STALL
}

export function retryPolicy(mirror: Mirror): RetryPolicy {
  return mirror.retry ?? DEFAULT_RETRY
}

/** @throws {VmpkgError} `ABORTED` */
export async function waitBeforeRetry(
  { delayMs }: RetryPolicy,
  fruitless: number,
  subject: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const waitMs = Math.min(MAX_DELAY_MS, delayMs * 2 ** Math.max(0, fruitless - 1))
  await delay(waitMs, undefined, { signal }).catch(() => {
    throw aborted(subject)
  })
}
