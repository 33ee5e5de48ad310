/**
 * A fault point of every verb that changes something; `npm run soak -- faults` goes through all of them.
 * `VMPKG_SEED` chooses others (threats L01, L02, decisions 30).
 */
import { after, before, describe, type TestContext, test } from 'node:test'
import { privateHostMissing } from '../support/private-host.ts'
import { Random } from '../support/random.ts'
import { PACKAGES, SCENARIOS } from './scenarios.ts'
import { allPoints, knownPoints, prepare, samplePoints, strike } from './sweep.ts'
import { makeWorld, type World } from './world.ts'

const SEED = Number(process.env['VMPKG_SEED'] ?? 1)

for (const { host, points } of [
  { host: false, points: 1 },
  { host: true, points: 1 },
]) {
  const skip = host && (await privateHostMissing())
  describe(host ? 'faults of verbs that use libvirt' : 'faults of verbs on files', { skip, timeout: 900_000 }, () => {
    let world: World
    before(async () => {
      world = await makeWorld({ name: 'faults', packages: PACKAGES, host })
    })
    after(() => world.close())

    for (const [i, scenario] of SCENARIOS.entries()) {
      if ((scenario.host === true) !== host || scenario.isLong === true) continue
      test(`${scenario.name} leaves the old or the new state`, async (t: TestContext) => {
        const prepared = await prepare(scenario, world)
        const all = allPoints(prepared)
        const reached = { before: 0, after: 0 }
        const chosen = [...knownPoints(prepared), ...samplePoints(all, new Random(SEED * 1000 + i), points)]
        for (const point of chosen) reached[await strike(prepared, point)]++
        t.diagnostic(
          `VMPKG_SEED=${SEED}: ${chosen.length} of ${all.length} points at ${prepared.operations.length} operations; ` +
            `${reached.before} times the old state, ${reached.after} times the new one`,
        )
      })
    }
  })
}
