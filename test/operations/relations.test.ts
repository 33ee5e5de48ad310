import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type ListRequest, list } from '../../src/operations/list.ts'
import { policy } from '../../src/operations/policy.ts'
import { depends, type RelationNode, reverseDepends, why, whyNot } from '../../src/operations/relations.ts'
import { show } from '../../src/operations/show.ts'
import { stockWorkspace } from '../support/stocked-workspace.ts'

const STOCK = {
  sources: {
    example: [
      'router-uni 1.0',
      'router-uni 2.0: provides gateway',
      'router-gal 1.0: depends router-uni (>= 2.0), tor | i2p; recommends gateway',
      'tor 0.4: depends router-uni',
      'browser 3.0: depends router-gal; conflicts tor (<< 0.3)',
    ],
    other: ['router-uni 9.0', 'extra 1.0'],
  },
  installed: [
    'router-gal 0.9: depends router-uni, tor | i2p',
    '~router-uni 1.0',
    '~tor 0.4: depends router-uni',
    '~lost 1.0',
  ],
}

/** `router-uni (>= 2.0): router-uni 2.0 [ … ]` */
function tell(nodes: readonly RelationNode[]): readonly string[] {
  return nodes.map(({ relation, by, needs, isRepeated }) => {
    const inner = needs.length > 0 ? ` [${tell(needs).join('; ')}]` : ''
    return `${relation}: ${by === undefined ? '-' : `${by.name} ${by.version}`}${isRepeated ? ' again' : ''}${inner}`
  })
}

describe('depends', () => {
  test('tells each relation and what fulfils it, of the installed version where there is one', async (t) => {
    const workspace = await stockWorkspace(t, { sources: STOCK.sources })
    const one = depends(workspace, 'router-gal', { recursive: false })
    assert.deepEqual(tell(one.relations), [
      'router-uni (>= 2.0): router-uni 2.0',
      'tor | i2p: tor 0.4',
      'gateway: router-uni 2.0',
    ])
    const installed = await stockWorkspace(t, STOCK)
    assert.deepEqual(tell(depends(installed, 'router-gal', { recursive: false }).relations), [
      'router-uni: router-uni 1.0',
      'tor | i2p: tor 0.4',
    ])
  })

  test('follows dependencies and tells each package once', async (t) => {
    const workspace = await stockWorkspace(t, { sources: STOCK.sources })
    assert.deepEqual(tell(depends(workspace, 'browser', { recursive: true }).relations), [
      'router-gal: router-gal 1.0 [router-uni (>= 2.0): router-uni 2.0; tor | i2p: tor 0.4 [router-uni: router-uni 2.0 again]]',
    ])
    assert.throws(() => depends(workspace, 'absent', { recursive: true }), { code: 'PACKAGE_UNKNOWN' })
  })

  test('ends with packages that need each other', async (t) => {
    const workspace = await stockWorkspace(t, { sources: { example: ['aa: depends bb', 'bb: depends aa, nowhere'] } })
    assert.deepEqual(tell(depends(workspace, 'aa', { recursive: true }).relations), [
      'bb: bb 1.0 [aa: aa 1.0 again; nowhere: -]',
    ])
  })
})

test('rdepends finds who needs a package or what it provides', async (t) => {
  const workspace = await stockWorkspace(t, { sources: STOCK.sources })
  const found = (name: string, installedOnly = false, from = workspace) =>
    reverseDepends(from, name, { installedOnly }).map((one) => `${one.name} ${one.kind} ${one.relation}`)
  assert.deepEqual(found('router-uni'), [
    'router-gal depends router-uni (>= 2.0)',
    'router-gal recommends gateway',
    'tor depends router-uni',
  ])
  assert.deepEqual(found('browser'), [])
  assert.throws(() => found('absent'), { code: 'PACKAGE_UNKNOWN' })
  const installed = await stockWorkspace(t, STOCK)
  assert.deepEqual(found('router-uni', true, installed), ['router-gal depends router-uni', 'tor depends router-uni'])
})

test('why gives the shortest chain from what the user installed', async (t) => {
  const workspace = await stockWorkspace(t, STOCK)
  const chain = (name: string) => why(workspace, name).map((step) => [step.name, step.relation])
  assert.deepEqual(chain('router-gal'), [['router-gal', undefined]])
  assert.deepEqual(chain('router-uni'), [
    ['router-gal', undefined],
    ['router-uni', 'router-uni'],
  ])
  assert.deepEqual(chain('lost'), [])
  assert.throws(() => chain('browser'), { code: 'PACKAGE_NOT_INSTALLED' })
})

test('why-not explains, or says what an installation would do', async (t) => {
  const workspace = await stockWorkspace(t, STOCK)
  assert.deepEqual(whyNot(workspace, 'browser').changes, ['install browser 3.0'])
  assert.deepEqual(whyNot(workspace, 'router-uni=9.0').explanation, [
    'Because you asked for router-uni (= 9.0) and router-uni 9.0 comes from source other, while router-uni is taken from example, there is no solution.',
  ])
  assert.deepEqual(whyNot(workspace, 'router-uni=9.0').hints, [
    'Take it from there: vmpkg pin set router-uni --source other 990.',
  ])
})

test('policy tells of every version what is made of it', async (t) => {
  const changes = [{ name: 'tor', version: '0.5', channel: 'beta' }]
  const sources = { example: [...STOCK.sources.example, 'tor 0.5'], other: STOCK.sources.other }
  const workspace = await stockWorkspace(t, { ...STOCK, sources, changes })
  const [uni, tor] = policy(workspace, ['router-uni', 'tor'])
  assert.equal(uni?.candidate, '2.0')
  assert.equal(uni?.why, 'It is the newest version that may be installed (500, of source example).')
  assert.deepEqual(
    uni?.versions.map((one) => [one.version, one.source, one.isInstalled, one.refused]),
    [
      ['2.0', 'example', false, undefined],
      ['1.0', 'example', true, undefined],
      ['9.0', 'other', false, 'comes from source other, while router-uni is taken from example'],
    ],
  )
  assert.equal(tor?.candidate, '0.4')
  assert.equal(tor?.versions.at(-1)?.refused, 'is in channel beta, which you do not follow')
  assert.throws(() => policy(workspace, ['absent']), { code: 'PACKAGE_UNKNOWN' })
})

test('list and show pick out states and versions', async (t) => {
  const workspace = await stockWorkspace(t, STOCK)
  const names = (request: Partial<ListRequest>) =>
    list(workspace, { patterns: [], ...request }).map((row) => `${row.name} ${row.version}`)
  assert.deepEqual(names({ filter: 'upgradable' }), ['router-gal 0.9', 'router-uni 1.0'])
  assert.deepEqual(names({ filter: 'manual' }), ['router-gal 0.9'])
  assert.deepEqual(names({ filter: 'auto' }), ['lost 1.0', 'router-uni 1.0', 'tor 0.4'])
  assert.deepEqual(names({ filter: 'held' }), [])
  assert.deepEqual(names({ patterns: ['router-uni'], allVersions: true }), [
    'router-uni 9.0',
    'router-uni 2.0',
    'router-uni 1.0',
  ])
  assert.deepEqual(names({ patterns: ['e*'] }), ['extra 1.0'])
  const shown = await show(workspace, ['router-uni'], { allVersions: true })
  assert.deepEqual(
    shown.map((one) => `${one.version} ${one.source}`),
    ['2.0 example', '1.0 example', '9.0 other'],
  )
  const [one] = await show(workspace, ['router-uni=1.0'])
  assert.deepEqual([one?.version, one?.versions], ['1.0', ['2.0', '1.0', '9.0']])
  await assert.rejects(show(workspace, ['router-uni=3.0']), {
    code: 'PACKAGE_UNKNOWN',
    hint: 'There is 2.0, 1.0, 9.0.',
  })
  await assert.rejects(show(workspace, ['router-umi']), { code: 'PACKAGE_UNKNOWN', hint: 'Did you mean router-uni?' })
})

test('list says of a version that it is withdrawn, also where it is not installed', async (t) => {
  const changes = [{ name: 'router-uni', version: '2.0', yanked: 'leaks' }]
  const workspace = await stockWorkspace(t, { ...STOCK, changes })
  assert.deepEqual(
    list(workspace, { patterns: ['router-uni'], allVersions: true }).map(({ version, state }) => `${version} ${state}`),
    ['9.0 available', '2.0 withdrawn: leaks', '1.0 installed, automatic'],
  )
})
