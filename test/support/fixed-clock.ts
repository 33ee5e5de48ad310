/** A clock that stands where a test puts it. */
import type { Clock } from '../../src/ports.ts'

export interface FixedClock extends Clock {
  set(to: Date | string): void
  advance(byMs: number): void
}

export const TEST_NOW = '2026-06-01T12:00:00Z'
export const HOUR_MS = 60 * 60 * 1000
export const DAY_MS = 24 * HOUR_MS

export function fixedClock(at: Date | string = TEST_NOW): FixedClock {
  let now = new Date(at)
  return {
    now: () => new Date(now),
    set(to) {
      now = new Date(to)
    },
    advance(byMs) {
      now = new Date(now.getTime() + byMs)
    },
  }
}
