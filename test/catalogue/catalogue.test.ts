import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { Catalogue, type CatalogueOptions } from '../../src/catalogue/catalogue.ts'
import { NO_PREFERENCES } from '../../src/catalogue/policy.ts'
import { openCatalogueDatabase } from '../../src/catalogue/schema.ts'
import type { PackageLine } from '../../src/model/line.ts'
import type { ChannelEntry } from '../../src/model/registry.ts'
import { REFRESHED_AT, refreshOf } from '../support/catalogue-refresh.ts'
import { packageLine } from '../support/package-line.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const NOW = REFRESHED_AT

async function openCatalogue(t: TestContext, options: Partial<CatalogueOptions> = {}) {
  const database = openCatalogueDatabase(join(await makeTempFolder(t), 'catalogue.db'))
  t.after(() => database.close())
  return { database, catalogue: new Catalogue(database, { arch: 'amd64', seed: 'seed', ...options }) }
}

function source(name: string, priority = 500, addedAt = NOW) {
  return { name, priority, addedAt }
}

describe('Catalogue', () => {
  test('summarises exactly the candidates', async (t) => {
    const { catalogue } = await openCatalogue(t)
    const lines = ['1.0', '2.0', '3.0'].flatMap((version) =>
      ['app', 'tor', 'zoo'].map((name) => packageLine(name, version)),
    )
    const yank = { name: 'app', version: '3.0', yanked: 'broken' }
    const beta = { name: 'tor', version: '3.0', channel: 'beta' }
    const nobody = { name: 'zoo', version: '3.0', phasedPercent: 0 }
    await catalogue.replace(source('example'), ...refreshOf(lines, [yank, beta, nobody]))
    await catalogue.replace(source('other', 100), ...refreshOf([packageLine('tor', '9.0'), packageLine('only', '1.0')]))
    for (const installedFrom of [new Map<string, string>(), new Map([['tor', 'other']])]) {
      const expected = catalogue.names().flatMap((each) => {
        const found = catalogue.candidate(each, { installedFrom: installedFrom.get(each) })
        if (found === undefined) return []
        const { name, version, arch, kind, summary } = found.line
        return [{ source: found.source, name, version, arch, kind, summary }]
      })
      const summaries = catalogue.summaries(installedFrom)
      assert.deepEqual(summaries, expected)
      assert.deepEqual(
        expected.map(({ name, version }) => `${name} ${version}`),
        ['app 2.0', 'only 1.0', installedFrom.get('tor') === 'other' ? 'tor 9.0' : 'tor 2.0', 'zoo 2.0'],
      )
    }
  })

  test('gives back the lines, newest version first, in Debian order', async (t) => {
    const { catalogue } = await openCatalogue(t)
    const lines = ['1.9', '1.10', '1.10~rc1', '1:0.1'].map((version) => packageLine('tor', version))
    await catalogue.replace(source('example'), ...refreshOf(lines))
    assert.deepEqual(
      catalogue.versions('tor').map(({ line }) => line.version),
      ['1:0.1', '1.10', '1.10~rc1', '1.9'],
    )
    assert.deepEqual(catalogue.candidate('tor')?.line, lines[3])
    assert.equal(catalogue.candidate('absent'), undefined)
  })

  test('replaces a refresh as a whole and names versions that vanished without being yanked', async (t) => {
    const { catalogue } = await openCatalogue(t)
    const lines = [packageLine('app', '1.0'), packageLine('app', '2.0'), packageLine('tor', '1.0')]
    const yank = { name: 'tor', version: '1.0', yanked: 'broken' }
    assert.deepEqual((await catalogue.replace(source('example'), ...refreshOf(lines, [yank]))).vanished, [])
    const { vanished } = await catalogue.replace(source('example'), ...refreshOf([packageLine('app', '3.0')]))
    assert.deepEqual(vanished, [
      { name: 'app', version: '1.0' },
      { name: 'app', version: '2.0' },
    ])
    assert.deepEqual(catalogue.names(), ['app'])
    assert.deepEqual(catalogue.search(['tor']), [])
  })

  test('keeps the old refresh when the new one cannot be stored', async (t) => {
    const { catalogue } = await openCatalogue(t)
    await catalogue.replace(source('example'), ...refreshOf([packageLine('app', '1.0')]))
    const broken = refreshOf([packageLine('app', '2.0'), packageLine('app', '3.0', { provides: ['not a relation ('] })])
    await assert.rejects(catalogue.replace(source('example'), ...broken), { code: 'RELATION_INVALID' })
    assert.equal(catalogue.candidate('app')?.line.version, '1.0')
  })

  test('writes only what has changed, and ends where a catalogue filled at once is', async (t) => {
    const { database, catalogue } = await openCatalogue(t)
    const at = (version: string, changes = {}) => packageLine('app', version, { provides: ['thing'], ...changes })
    const rest = ['aaa', 'zoo'].map((name) => packageLine(name, '1.0', { depends: ['app | tor'] }))
    const steps: [PackageLine[], Partial<ChannelEntry>[]][] = [
      [[at('1.0'), at('3.0'), ...rest], []],
      [[at('1.0'), at('2.0'), at('3.0'), ...rest], [{ name: 'zoo', version: '1.0', channel: 'beta' }]],
      [[at('2.0', { summary: 'Other' }), at('3.0', { summary: 'Newest' }), ...rest], []],
      [
        [at('2.0', { summary: 'Other', provides: [] }), ...rest.slice(1)],
        [{ name: 'app', version: '2.0', yanked: 'why' }],
      ],
    ]
    const look = (one: Catalogue) => ({
      versions: ['aaa', 'app', 'zoo'].flatMap((name) => one.versions(name)),
      related: ['thing', 'app', 'tor'].map((name) => [one.related('provides', name), one.related('depends', name)]),
      found: ['app', 'other', 'newest', 'package'].map((word) => one.search([word])),
      names: one.names(),
    })
    const ids = () => database.prepare("SELECT id FROM packages WHERE name = 'zoo'").all()
    let before: unknown
    for (const [lines, changes] of steps) {
      await catalogue.replace(source('example'), ...refreshOf(lines, changes))
      const fresh = await openCatalogue(t)
      await fresh.catalogue.replace(source('example'), ...refreshOf(lines, changes))
      assert.deepEqual(look(catalogue), look(fresh.catalogue))
      assert.deepEqual(before ?? ids(), ids(), 'a line that stayed was written anew')
      before = ids()
    }
  })

  test('changes channels without the index', async (t) => {
    const { catalogue } = await openCatalogue(t)
    const lines = [packageLine('app', '1.0'), packageLine('app', '2.0')]
    await catalogue.replace(source('example'), ...refreshOf(lines))
    await catalogue.relabel(source('example'), refreshOf(lines, [{ name: 'app', version: '2.0', yanked: 'leaks' }])[0])
    assert.equal(catalogue.candidate('app')?.line.version, '1.0')
    assert.equal(
      catalogue.sources()[0]?.channelsSha256,
      refreshOf(lines, [{ name: 'app', version: '2.0', yanked: 'leaks' }])[0].envelope.channels.sha256,
    )
  })

  test('remembers lines only under the root they were verified with, and only while its keys hold', async (t) => {
    const day = 24 * 60 * 60 * 1000
    const lines = [packageLine('app', '1.0'), packageLine('tor', '1.0')]
    const remembered = async (root: string, afterDays: number): Promise<number> => {
      const { catalogue } = await openCatalogue(t)
      await catalogue.replace(source('example'), ...refreshOf(lines))
      let count = 0
      const at = new Date(NOW.getTime() + afterDays * day)
      const [refresh, read] = refreshOf(lines, [], { root, at })
      await catalogue.replace(source('example'), refresh, (known) =>
        read((digest) => {
          const found = known(digest)
          if (found !== undefined) count++
          return found
        }),
      )
      return count
    }
    assert.equal(await remembered('root', 0), 2)
    assert.equal(await remembered('root', 9), 2)
    assert.equal(await remembered('root', 10), 0, 'a key may have expired')
    assert.equal(await remembered('root', -1), 0, 'a signature may be of the future')
    assert.equal(await remembered('other root', 0), 0, 'a publisher may have been withdrawn')
  })

  test('passes over yanked versions, other channels and other architectures', async (t) => {
    const { database, catalogue } = await openCatalogue(t)
    const lines = [
      packageLine('app', '1.0'),
      packageLine('app', '2.0'),
      packageLine('app', '3.0'),
      packageLine('app', '4.0', { arch: 'arm64' }),
      packageLine('doc', '1.0', { arch: 'all' }),
    ]
    const changes = [
      { name: 'app', version: '2.0', channel: 'beta' },
      { name: 'app', version: '3.0', yanked: 'leaks' },
    ]
    await catalogue.replace(source('example'), ...refreshOf(lines, changes))
    assert.equal(catalogue.candidate('app')?.line.version, '1.0')
    assert.equal(catalogue.candidate('doc')?.line.version, '1.0')
    assert.deepEqual(
      catalogue.versions('app').map(({ line, yanked, channel }) => [line.version, channel, yanked]),
      [
        ['3.0', 'stable', 'leaks'],
        ['2.0', 'beta', undefined],
        ['1.0', 'stable', undefined],
      ],
    )
    const beta = new Catalogue(database, {
      arch: 'amd64',
      seed: 'seed',
      preferences: { ...NO_PREFERENCES, channels: ['beta'] },
    })
    assert.equal(beta.candidate('app')?.line.version, '2.0')
    const arm = new Catalogue(database, { arch: 'arm64', seed: 'seed' })
    assert.equal(arm.candidate('app')?.line.version, '4.0')
  })

  test('offers a phased version to its share of the hosts', async (t) => {
    const { database, catalogue } = await openCatalogue(t)
    const lines = [packageLine('app', '1.0'), packageLine('app', '2.0')]
    await catalogue.replace(
      source('example'),
      ...refreshOf(lines, [{ name: 'app', version: '2.0', phasedPercent: 30 }]),
    )
    const seeds = Array.from({ length: 1000 }, (_, n) => `host ${n}`)
    const early = seeds.filter(
      (seed) => new Catalogue(database, { arch: 'amd64', seed }).candidate('app')?.line.version === '2.0',
    )
    assert.ok(early.length > 230 && early.length < 370, `${early.length} of 1000`)
  })

  for (const first of ['aaa', 'zzz']) {
    test(`takes a name from the source it was installed from, else from the one added first (${first})`, async (t) => {
      const { catalogue } = await openCatalogue(t)
      const second = first === 'aaa' ? 'zzz' : 'aaa'
      await catalogue.replace(
        source(second, 500, new Date('2026-11-02T00:00:00Z')),
        ...refreshOf([packageLine('app', '9.0')]),
      )
      await catalogue.replace(
        source(first, 500, new Date('2026-11-01T00:00:00Z')),
        ...refreshOf([packageLine('app', '1.0')]),
      )
      assert.equal(catalogue.candidate('app')?.source, first)
      assert.equal(catalogue.candidate('app', { installedFrom: second })?.source, second)
      assert.equal(catalogue.candidate('app', { installedFrom: 'gone' })?.source, first)
      assert.equal(catalogue.candidate('app', { source: second })?.line.version, '9.0')
      assert.deepEqual(
        catalogue.available('app').map(({ line }) => line.version),
        ['1.0'],
      )
      assert.deepEqual(
        catalogue.summaries(new Map([['app', second]])).map(({ version }) => version),
        ['9.0'],
      )
    })
  }

  test('lets a higher priority win over the age of a source', async (t) => {
    const { catalogue } = await openCatalogue(t)
    await catalogue.replace(
      source('old', 500, new Date('2026-01-01T00:00:00Z')),
      ...refreshOf([packageLine('app', '1.0')]),
    )
    await catalogue.replace(source('new', 600), ...refreshOf([packageLine('app', '0.5')]))
    assert.equal(catalogue.candidate('app')?.source, 'new')
  })

  test('searches names and summaries by the beginnings of words, names first', async (t) => {
    const { catalogue } = await openCatalogue(t)
    const lines = [
      packageLine('router-uni', '1.0', { summary: 'NAT gateway to the uplink' }),
      packageLine('app-web', '1.0', { summary: 'Browser behind a router' }),
      packageLine('cafe', '1.0', { summary: 'Café' }),
    ]
    await catalogue.replace(source('example'), ...refreshOf(lines))
    const found = (...words: string[]) => catalogue.search(words).map(({ name }) => name)
    assert.deepEqual(found('rout'), ['router-uni', 'app-web'])
    assert.deepEqual(found('router', 'gate'), ['router-uni'])
    assert.deepEqual(found('router-uni'), ['router-uni'])
    assert.deepEqual(found('CAFE'), ['cafe'])
    assert.deepEqual(found('"', 'OR', '*', 'name:'), [])
    assert.deepEqual(found('" OR 1=1 --'), [])
    assert.deepEqual(found(''), [])
  })

  test('knows who provides a virtual name', async (t) => {
    const { catalogue } = await openCatalogue(t)
    const lines = [
      packageLine('tor', '1.0', { provides: ['proxy (= 1)'] }),
      packageLine('i2p', '1.0', { provides: ['proxy'] }),
    ]
    await catalogue.replace(source('example'), ...refreshOf(lines))
    assert.deepEqual(catalogue.providers('proxy'), ['i2p', 'tor'])
  })

  test('tells when each source was refreshed and forgets a removed one', async (t) => {
    const { database, catalogue } = await openCatalogue(t)
    await catalogue.replace(source('example'), ...refreshOf([packageLine('app', '1.0', { provides: ['thing'] })]))
    const [known] = catalogue.sources()
    assert.equal(known?.count, 1)
    assert.deepEqual(known?.refreshedAt, NOW)
    assert.deepEqual(known?.expiresAt, new Date('2026-12-01T00:00:00Z'))
    catalogue.removeSource('example')
    for (const table of ['sources', 'packages', 'related', 'names', 'words']) {
      assert.deepEqual(database.prepare(`SELECT * FROM ${table}`).all(), [], table)
    }
  })
})

describe('openCatalogueDatabase', () => {
  test('replaces a file that cannot be used: the next update fills it again', async (t) => {
    const path = join(await makeTempFolder(t), 'catalogue.db')
    await writeFile(path, 'garbage '.repeat(1000))
    const database = openCatalogueDatabase(path)
    t.after(() => database.close())
    assert.deepEqual(new Catalogue(database, { arch: 'amd64', seed: '' }).names(), [])
  })
})
