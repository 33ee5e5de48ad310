/**
 * The soak run of faults: every way at every operation of every verb in the table, first a crash before each operation and
 * then the other ways, each in an order that the seed gives. The verbs share the time evenly, and what one does not need
 * goes to those after it. A mix of old and new state ends the
 * run; `--from` with its number and `--cases 1` repeats it.
 */

import { PACKAGES, SCENARIOS } from '../faults/scenarios.ts'
import { allPoints, type FaultPoint, prepare, strike } from '../faults/sweep.ts'
import { makeWorld, type World } from '../faults/world.ts'
import { Random } from '../support/random.ts'

interface Range {
  readonly seed: number
  readonly from: number
  readonly cases: number
  /** Milliseconds since the epoch at which to stop. */
  readonly until: number
}

interface Row {
  readonly name: string
  readonly operations: number
  readonly points: number
  /** Operations before which it was killed. */
  crashes: number
  before: number
  after: number
}

/** Points have numbers from here on for every verb, so that one verb's do not move those of the next. */
const STRIDE = 10_000

export async function soakFaults({ seed, from, cases, until }: Range): Promise<string> {
  const began = Date.now()
  const rows: Row[] = []
  const worlds = new Map<boolean, World>()
  let done = 0
  try {
    for (const [i, scenario] of SCENARIOS.entries()) {
      if (done >= cases || Date.now() >= until) break
      if ((i + 1) * STRIDE <= from) continue
      const host = scenario.host === true
      const share = Date.now() + (until - Date.now()) / (SCENARIOS.length - i)
      const world = worlds.get(host) ?? (await makeWorld({ name: 'soak-faults', packages: PACKAGES, host }))
      worlds.set(host, world)
      const prepared = await prepare(scenario, world)
      const points = inOrder(allPoints(prepared), seed)
      const { operations } = prepared
      const row: Row = {
        name: scenario.name,
        operations: operations.length,
        points: points.length,
        crashes: 0,
        before: 0,
        after: 0,
      }
      for (const [j, point] of points.entries()) {
        const current = i * STRIDE + j
        if (current < from) continue
        if (done >= cases || (row.before + row.after > 0 && Date.now() >= share)) break
        try {
          row[await strike(prepared, point)]++
          if (point.way === 'before') row.crashes++
        } catch (error) {
          const again = `--seed ${seed} --from ${current} --cases 1`
          throw new Error(`case ${current}: repeat it with ${again}`, { cause: error })
        }
        done++
      }
      if (row.before + row.after > 0) rows.push(row)
    }
  } finally {
    for (const world of worlds.values()) await world.close()
  }
  return report(rows, { seed, done, seconds: (Date.now() - began) / 1000 })
}

/** A crash after an operation is, but for the last one, a crash before the next: so those before come first. */
function inOrder(points: readonly FaultPoint[], seed: number): readonly FaultPoint[] {
  const random = new Random(seed)
  const [crashes, others]: [FaultPoint[], FaultPoint[]] = [[], []]
  for (const point of points) (point.way === 'before' ? crashes : others).push(point)
  return [...random.shuffle(crashes), ...random.shuffle(others)]
}

function report(
  rows: readonly Row[],
  { seed, done, seconds }: { readonly seed: number; readonly done: number; readonly seconds: number },
): string {
  const points = rows.reduce((sum, row) => sum + row.points, 0)
  return `${done} of ${points} faults, chosen by seed ${seed}, in ${Math.round(seconds)} s. Mixes of old and new state: 0.

| verb | operations | killed before | fault points | tried | old state after | new state after |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
${rows.map((row) => `| ${row.name} | ${row.operations} | ${row.crashes} | ${row.points} | ${row.before + row.after} | ${row.before} | ${row.after} |`).join('\n')}`
}
