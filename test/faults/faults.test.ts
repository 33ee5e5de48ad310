/**
 * A fault point of every verb that changes something; `npm run soak -- faults` goes through all of them.
 * `VMPKG_SEED` chooses others (threats L01, L02, decisions 30).
 */
import assert from 'node:assert/strict'
import { after, before, describe, type TestContext, test } from 'node:test'
import { privateHostMissing } from '../support/private-host.ts'
import { Random } from '../support/random.ts'
import { guests, PACKAGES, SCENARIOS, TOLD_GUEST } from './scenarios.ts'
import { allPoints, knownPoints, prepare, samplePoints, strike, words } from './sweep.ts'
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

    if (host) {
      // So there is nothing of them to go wrong here, and no scenario; what cp leaves in a guest is in the table.
      for (const verb of [
        ['exec', 'one', '--', 'cat', '%/guest/notes'],
        ['cp', '%/disks/notes', 'one:%/guest/copied'],
        ['cp', 'one:%/guest/notes', 'two:%/guest/copied'],
      ]) {
        test(`${verb[0]} ${verb[1]?.replace('%', '')} writes nothing on this host`, async () => {
          if (!(await world.virsh('list', '--name')).includes('two')) {
            await world.wipe()
            await guests('one', 'two')(world)
          }
          const { ['disks']: _, ...old } = await world.observe()
          const way = { at: 0, way: 'before' } as const
          const { status, stderr, operations } = await world.runFaulty(words(verb, world), way, TOLD_GUEST)
          assert.equal(status, 0, stderr)
          const { ['disks']: __, ...now } = await world.observe()
          assert.deepEqual(now, old)
          const kinds = operations.map(({ kind }) => kind)
          assert.ok(kinds.some((kind) => kind.startsWith('agent ')))
          assert.deepEqual(
            kinds.filter((kind) => !/^(?:agent|rpc) /.test(kind)),
            [],
          )
        })
      }
    }
  })
}
