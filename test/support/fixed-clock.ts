/** A clock that stands still until it is set. */
import type { Clock } from '../../src/ports.ts'

export interface FixedClock extends Clock {
  set(iso: string): void
}

export function fixedClock(iso = '2026-11-21T12:00:00.000Z'): FixedClock {
  let now = new Date(iso)
  return {
    now: () => now,
    set: (text) => {
      now = new Date(text)
    },
  }
}
