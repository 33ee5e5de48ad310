import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { Catalogue, type CatalogueOptions, type Refresh } from '../../src/catalogue/catalogue.ts'
import { openCatalogueDatabase } from '../../src/catalogue/schema.ts'
import { sha256 } from '../../src/model/digest.ts'
import type { PackageLine } from '../../src/model/line.ts'
import { comparePackageVersions } from '../../src/model/package-order.ts'
import type { ChannelEntry } from '../../src/model/registry.ts'
import { markVerified } from '../../src/trust/verified.ts'
import { packageLine } from '../support/package-line.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const NOW = new Date('2026-11-21T12:00:00Z')

function refresh(lines: readonly PackageLine[], changes: readonly Partial<ChannelEntry>[] = []): Refresh {
  const registryId = '0'.repeat(32)
  const digested = { sha256: sha256(JSON.stringify(lines)), size: 1 }
  const entries = lines
    .toSorted(comparePackageVersions)
    .map((line) => markVerified({ line, lineDigest: sha256(JSON.stringify(line)), transport: { images: {} } }))
  const channels = changes.map((change) => ({
    name: '',
    version: '',
    arch: 'amd64' as const,
    channel: 'stable',
    ...change,
  }))
  return {
    envelope: markVerified({
      registryId,
      version: 1,
      issuedAt: NOW,
      expiresAt: new Date('2026-12-01T00:00:00Z'),
      root: { ...digested, version: 1 },
      index: { ...digested, unpackedSize: 1, count: lines.length },
      channels: { ...digested, version: 1 },
    }),
    index: markVerified({ entries }),
    channels: markVerified({ registryId, version: 1, entries: channels }),
    refreshedAt: NOW,
  }
}

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
    catalogue.replace(source('example'), refresh(lines, [yank, beta, nobody]))
    catalogue.replace(source('other', 100), refresh([packageLine('tor', '9.0'), packageLine('only', '1.0')]))
    for (const installedFrom of [new Map(), new Map([['tor', 'other']]), new Map([['app', 'other']])]) {
      const expected = catalogue.candidates(installedFrom).map(({ source: from, line }) => {
        const { name, version, arch, kind, summary } = line
        return { source: from, name, version, arch, kind, summary }
      })
      const summaries = catalogue
        .summaries(installedFrom)
        .map(({ source: from, name, version, arch, kind, summary }) => {
          return { source: from, name, version, arch, kind, summary }
        })
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
    catalogue.replace(source('example'), refresh(lines))
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
    assert.deepEqual(catalogue.replace(source('example'), refresh(lines, [yank])).vanished, [])
    const { vanished } = catalogue.replace(source('example'), refresh([packageLine('app', '3.0')]))
    assert.deepEqual(vanished, [
      { name: 'app', version: '1.0' },
      { name: 'app', version: '2.0' },
    ])
    assert.deepEqual(catalogue.names(), ['app'])
    assert.deepEqual(catalogue.search(['tor']), [])
  })

  test('keeps the old refresh when the new one cannot be stored', async (t) => {
    const { catalogue } = await openCatalogue(t)
    catalogue.replace(source('example'), refresh([packageLine('app', '1.0')]))
    const broken = refresh([packageLine('app', '2.0'), packageLine('app', '3.0', { provides: ['not a relation ('] })])
    assert.throws(() => catalogue.replace(source('example'), broken), { code: 'RELATION_INVALID' })
    assert.equal(catalogue.candidate('app')?.line.version, '1.0')
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
    catalogue.replace(source('example'), refresh(lines, changes))
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
    const beta = new Catalogue(database, { arch: 'amd64', seed: 'seed', channels: ['beta'] })
    assert.equal(beta.candidate('app')?.line.version, '2.0')
    const arm = new Catalogue(database, { arch: 'arm64', seed: 'seed' })
    assert.equal(arm.candidate('app')?.line.version, '4.0')
  })

  test('offers a phased version to its share of the hosts', async (t) => {
    const { database, catalogue } = await openCatalogue(t)
    const lines = [packageLine('app', '1.0'), packageLine('app', '2.0')]
    catalogue.replace(source('example'), refresh(lines, [{ name: 'app', version: '2.0', phasedPercent: 30 }]))
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
      catalogue.replace(source(second, 500, new Date('2026-11-02T00:00:00Z')), refresh([packageLine('app', '9.0')]))
      catalogue.replace(source(first, 500, new Date('2026-11-01T00:00:00Z')), refresh([packageLine('app', '1.0')]))
      assert.equal(catalogue.candidate('app')?.source, first)
      assert.equal(catalogue.candidate('app', { installedFrom: second })?.source, second)
      assert.equal(catalogue.candidate('app', { installedFrom: 'gone' })?.source, first)
      assert.equal(catalogue.candidate('app', { source: second })?.line.version, '9.0')
      assert.deepEqual(
        catalogue.available('app').map(({ line }) => line.version),
        ['1.0'],
      )
      assert.deepEqual(
        catalogue.candidates(new Map([['app', second]])).map(({ line }) => line.version),
        ['9.0'],
      )
    })
  }

  test('lets a higher priority win over the age of a source', async (t) => {
    const { catalogue } = await openCatalogue(t)
    catalogue.replace(source('old', 500, new Date('2026-01-01T00:00:00Z')), refresh([packageLine('app', '1.0')]))
    catalogue.replace(source('new', 600), refresh([packageLine('app', '0.5')]))
    assert.equal(catalogue.candidate('app')?.source, 'new')
  })

  test('searches names and summaries by the beginnings of words, names first', async (t) => {
    const { catalogue } = await openCatalogue(t)
    const lines = [
      packageLine('router-uni', '1.0', { summary: 'NAT gateway to the uplink' }),
      packageLine('app-web', '1.0', { summary: 'Browser behind a router' }),
      packageLine('cafe', '1.0', { summary: 'Café' }),
    ]
    catalogue.replace(source('example'), refresh(lines))
    const found = (...words: string[]) => catalogue.search(words).map(({ line }) => line.name)
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
    catalogue.replace(source('example'), refresh(lines))
    assert.deepEqual(catalogue.providers('proxy'), ['i2p', 'tor'])
  })

  test('tells when each source was refreshed and forgets a removed one', async (t) => {
    const { database, catalogue } = await openCatalogue(t)
    catalogue.replace(source('example'), refresh([packageLine('app', '1.0', { provides: ['thing'] })]))
    const [known] = catalogue.sources()
    assert.equal(known?.count, 1)
    assert.deepEqual(known?.refreshedAt, NOW)
    assert.deepEqual(known?.expiresAt, new Date('2026-12-01T00:00:00Z'))
    catalogue.removeSource('example')
    for (const table of ['sources', 'packages', 'provided', 'words']) {
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
