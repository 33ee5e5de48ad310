/** Waits of `node:timers/promises` that take no time: which ones were asked for, in milliseconds. */
import { syncBuiltinESMExports } from 'node:module'
import type { TestContext } from 'node:test'
import timers from 'node:timers/promises'

export function recordDelays(t: Pick<TestContext, 'after'>): readonly number[] {
  const genuine = timers.setTimeout
  const waits: number[] = []
  const set = (value: unknown): void => {
    Object.assign(timers, { setTimeout: value })
    syncBuiltinESMExports()
  }
  set(async (ms: number) => {
    waits.push(ms)
  })
  t.after(() => set(genuine))
  return waits
}
