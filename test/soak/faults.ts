/**
 * The soak run of faults: every way at every operation of every verb in the table, one after the other. A mix of old and
 * new state ends the run; `--from` with its number and `--cases 1` repeats it.
 */
import { PACKAGES, SCENARIOS } from '../faults/scenarios.ts'
import { allPoints, prepare, strike } from '../faults/sweep.ts'
import { makeWorld, type World } from '../faults/world.ts'

interface Range {
  readonly from: number
  readonly cases: number
  /** Milliseconds since the epoch at which to stop. */
  readonly until: number
}

interface Row {
  readonly name: string
  readonly operations: number
  readonly points: number
  before: number
  after: number
}

export async function soakFaults({ from, cases, until }: Range): Promise<string> {
  const began = Date.now()
  const rows: Row[] = []
  const worlds = new Map<boolean, World>()
  let number = 0
  let done = 0
  try {
    for (const scenario of SCENARIOS) {
      if (done >= cases || Date.now() >= until) break
      const host = scenario.host === true
      const world = worlds.get(host) ?? (await makeWorld({ name: 'soak-faults', packages: PACKAGES, host }))
      worlds.set(host, world)
      const prepared = await prepare(scenario, world)
      const points = allPoints(prepared)
      const row: Row = {
        name: scenario.name,
        operations: prepared.operations.length,
        points: points.length,
        before: 0,
        after: 0,
      }
      for (const point of points) {
        const current = number++
        if (current < from) continue
        if (done >= cases || Date.now() >= until) {
          number = current
          break
        }
        try {
          row[await strike(prepared, point)]++
        } catch (error) {
          throw new Error(`case ${current}: repeat it with --from ${current} --cases 1`, { cause: error })
        }
        done++
      }
      if (row.before + row.after > 0) rows.push(row)
    }
  } finally {
    for (const world of worlds.values()) await world.close()
  }
  return report(rows, { from, done, seconds: (Date.now() - began) / 1000 })
}

function report(
  rows: readonly Row[],
  { from, done, seconds }: { readonly from: number; readonly done: number; readonly seconds: number },
): string {
  return `Cases ${from} to ${from + done - 1}; the next run goes on with \`--from ${from + done}\`. ${done} faults in ${Math.round(seconds)} s, no mix.

| verb | operations | fault points | tried | old state after | new state after |
| --- | ---: | ---: | ---: | ---: | ---: |
${rows.map((row) => `| ${row.name} | ${row.operations} | ${row.points} | ${row.before + row.after} | ${row.before} | ${row.after} |`).join('\n')}`
}
