/** Where files are fetched from and how patiently. One value per source, handed to every function of `fetch/`. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Http } from '../ports.ts'
import { aborted, DEFAULT_STALL, type StallPolicy } from './body.ts'

export interface Mirror {
  readonly http: Http
  /** `https:`, `http:` or `file:`; a user and password in it become an `Authorization` header. */
  readonly base: URL
  /** Headers with credentials; sent to the origin of `base` over https only (threats D12). */
  readonly credentials?: Readonly<Record<string, string>>
  readonly stall?: StallPolicy
  readonly retry?: RetryPolicy
}

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

/** Where files come from, for events. */
export function originOf({ base }: Mirror): 'local' | 'network' {
  return base.protocol === 'file:' ? 'local' : 'network'
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
