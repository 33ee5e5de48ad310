/**
 * One publisher at a time at a place that has no locks: each announces itself by a file of its own name, looks who else
 * is there, and goes ahead only when it sees nobody (threats P01). Of two, whoever announced itself second sees the
 * first, so both never go ahead; it takes nothing but that a file that was written is listed. Several that meet: the
 * lowest name stays, the others step back.
 *
 * An announcement whose owner died would bar everybody: whoever waits removes one that it has watched for STALE_MS, by
 * its own clock. An owner therefore gives up long before (HOLD_MS). Names are never used twice, so nobody removes the
 * announcement of another by mistake. Source: Dijkstra, "Cooperating sequential processes" (1965).
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { isVmpkgError, VmpkgError } from '../errors.ts'

export const SWAP_FOLDER = '.publishing'

/** Where announcements lie. */
export interface Announcements {
  /** For messages. */
  readonly name: string
  announce(token: string): Promise<void>
  withdraw(tokens: readonly string[]): Promise<void>
  list(): Promise<readonly string[]>
}

export interface SwapLockOptions {
  readonly waitMs?: number
  readonly staleMs?: number
  readonly holdMs?: number
  readonly pollMs?: number
  /** Put before the random part of the name. */
  readonly prefix?: string
  readonly signal?: AbortSignal | undefined
}

/** How long the holder may still write; it must not after that. */
export interface Lease {
  /** Whole milliseconds. @throws {VmpkgError} `LOCK_HELD` when there is no time left */
  remaining(): number
}

const TOKEN = /^(?:local-)?[0-9a-f]{32}$/
const DEFAULTS = { waitMs: 180_000, staleMs: 90_000, holdMs: 30_000, pollMs: 100, prefix: '' }

/** Runs `use` while no other publisher is there. @throws {VmpkgError} `LOCK_HELD` `ABORTED` */
export async function withSwapLock<T>(
  place: Announcements,
  use: (lease: Lease) => Promise<T>,
  options: SwapLockOptions = {},
): Promise<T> {
  const { waitMs, staleMs, holdMs, pollMs, prefix } = { ...DEFAULTS, ...options }
  const { signal } = options
  const watch = new Watch(staleMs)
  const began = monotonicMs()
  const listOthers = async (own: string): Promise<readonly string[]> => {
    const others = (await place.list()).filter((name) => TOKEN.test(name) && name !== own)
    const stale = watch.staleOf(others)
    if (stale.length > 0) await place.withdraw(stale)
    return others.filter((name) => !stale.includes(name))
  }
  for (let attempt = 0; ; attempt++) {
    const own = prefix + randomBytes(16).toString('hex')
    // Begins before anybody can see the announcement, so it is over before anybody has watched that for long enough.
    const lease = makeLease(place.name, holdMs)
    try {
      await place.announce(own)
      for (let others = await listOthers(own); ; others = await listOthers(own)) {
        if (others.length === 0) return await use(lease)
        const isLowest = others.every((other) => own < other)
        if (!isLowest || lease.isOver()) break
        await pause(pollMs, signal)
      }
    } catch (error) {
      // The place was too slow for one turn: nothing was written, so the next one begins anew.
      if (!isVmpkgError(error, 'LOCK_HELD') || !lease.isOver()) throw error
    } finally {
      await place.withdraw([own])
    }
    if (monotonicMs() - began > waitMs) throw held(place.name)
    await pause(pollMs * (1 + Math.min(attempt, 10)) * (0.5 + Math.random()), signal)
    // Without announcing: many that wait would otherwise only see each other.
    while ((await listOthers('')).length > 0) {
      if (monotonicMs() - began > waitMs) throw held(place.name)
      await pause(pollMs * (1 + Math.random()), signal)
    }
  }
}

/** Since when each announcement has been seen. */
class Watch {
  readonly #since = new Map<string, number>()
  readonly #staleMs: number

  constructor(staleMs: number) {
    this.#staleMs = staleMs
  }

  staleOf(names: readonly string[]): readonly string[] {
    const now = monotonicMs()
    for (const name of names) if (!this.#since.has(name)) this.#since.set(name, now)
    return names.filter((name) => now - (this.#since.get(name) ?? now) > this.#staleMs)
  }
}

function makeLease(name: string, holdMs: number): Lease & { isOver(): boolean } {
  const [steady, wall] = [monotonicMs(), Date.now()]
  // The steady clock stands still while the machine sleeps, the wall clock can be set: whichever says more counts.
  const left = (): number => holdMs - Math.max(monotonicMs() - steady, Date.now() - wall)
  return {
    isOver: () => left() <= 0,
    remaining() {
      const ms = left()
      if (ms > 0) return Math.ceil(ms)
      throw new VmpkgError('LOCK_HELD', `${name} took too long to answer; the turn of this publisher is over`, {
        hint: 'Try again.',
      })
    },
  }
}

function held(name: string): VmpkgError {
  return new VmpkgError('LOCK_HELD', `Other publishers are at work in ${name}`, {
    hint: 'Wait for them to finish and try again.',
  })
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, { signal })
  } catch (cause) {
    throw new VmpkgError('ABORTED', 'The wait for another publisher was interrupted', { cause })
  }
}

function monotonicMs(): number {
  return performance.now()
}
