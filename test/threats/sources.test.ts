/** Attacks by one source on the names of another (docs/threats.md, M20). */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { Catalogue } from '../../src/catalogue/catalogue.ts'
import { openCatalogueDatabase } from '../../src/catalogue/schema.ts'
import { resolve } from '../../src/resolve/resolve.ts'
import { refreshOf } from '../support/catalogue-refresh.ts'
import { packageLine } from '../support/package-line.ts'
import { makeTempFolder } from '../support/temp-folder.ts'
import { threatCase } from '../support/threat-case.ts'

const ADDED = { own: new Date('2026-01-01T00:00:00Z'), other: new Date('2026-02-01T00:00:00Z') }

/** Two sources that both have `router-uni`; the attacker's is newer, and may be added before or after. */
async function twoSources(t: TestContext, attackerIsOlder: boolean): Promise<Catalogue> {
  const database = openCatalogueDatabase(join(await makeTempFolder(t), 'catalogue.db'))
  t.after(() => database.close())
  const catalogue = new Catalogue(database, { arch: 'amd64', seed: '' })
  const [home, attacker] = attackerIsOlder ? [ADDED.other, ADDED.own] : [ADDED.own, ADDED.other]
  const honest = [packageLine('router-uni', '1.0'), packageLine('router-uni', '1.1')]
  await catalogue.replace({ name: 'home', priority: 500, addedAt: home }, ...refreshOf(honest))
  const confusing = [packageLine('router-uni', '99.0')]
  await catalogue.replace({ name: 'attacker', priority: 500, addedAt: attacker }, ...refreshOf(confusing))
  return catalogue
}

for (const attackerIsOlder of [false, true]) {
  threatCase({
    id: 'M20',
    title: `an installed name is never upgraded from another source, one added ${attackerIsOlder ? 'before' : 'after'} its own`,
    attack: async (t) => {
      const catalogue = await twoSources(t, attackerIsOlder)
      const [installed] = catalogue.versions('router-uni').filter(({ line }) => line.version === '1.0')
      assert.ok(installed !== undefined)
      const { steps } = resolve(
        { install: [], upgrade: 'all', installed: [{ candidate: installed, isAuto: false }] },
        {
          available: (name) => catalogue.available(name, { installedFrom: 'home' }),
          providers: (virtual) => catalogue.providers(virtual),
          names: () => catalogue.names(),
        },
      )
      assert.deepEqual(
        steps.map(({ candidate }) => `${candidate.source} ${candidate.line.version}`),
        ['home 1.1'],
      )
    },
    controls: [
      {
        file: 'src/catalogue/policy.ts',
        find: 'return isInvited ? one : { ...one, refusal: fromElsewhere(one.offer, home) }',
        replace: 'return one',
      },
    ],
  })
}

threatCase({
  id: 'M20',
  title: 'a new name comes from the source that was added first, not from the one with the higher version',
  attack: async (t) => {
    const catalogue = await twoSources(t, false)
    const found = catalogue.candidate('router-uni')
    assert.equal(`${found?.source} ${found?.line.version}`, 'home 1.1')
  },
  controls: [
    {
      file: 'src/catalogue/policy.ts',
      find: 'if (one.refusal !== undefined || home === undefined || one.offer.source === home) return one',
      replace: 'return one',
    },
  ],
})
