import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { openStateDatabase } from '../../src/state/database.ts'
import { type InstalledPackage, InstalledPackages } from '../../src/state/installed.ts'
import { packageImage, packageLine } from '../support/package-line.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const ROUTER: InstalledPackage = {
  line: packageLine('router-uni', '1.0-1', { kind: 'router', layer: 'uni', images: [packageImage('router')] }),
  source: 'example',
  isAuto: false,
  isHeld: false,
  installedAt: new Date('2026-11-21T12:00:00Z'),
  grants: [{ name: 'network', wan: 'uplink' }],
  parameters: {
    memory: { value: 201_326_592, origin: 'default' },
    uplink: { value: 'network:default', origin: 'command line' },
    verbose: { value: false, origin: 'profile' },
  },
}

async function openInstalled(t: Parameters<typeof makeTempFolder>[0], connection = 'here') {
  const database = openStateDatabase(join(await makeTempFolder(t), 'state.db'))
  t.after(() => database.close())
  return { database, installed: new InstalledPackages(database, connection) }
}

describe('InstalledPackages', () => {
  test('gives back exactly what was put', async (t) => {
    const { installed } = await openInstalled(t)
    installed.put(ROUTER)
    assert.deepEqual(installed.find('router-uni'), ROUTER)
    assert.deepEqual(installed.list(), [ROUTER])
  })

  test('replaces a former version with its parameters', async (t) => {
    const { installed } = await openInstalled(t)
    installed.put(ROUTER)
    const next = { ...ROUTER, line: packageLine('router-uni', '2.0-1'), parameters: {} }
    installed.put(next)
    assert.deepEqual(installed.list(), [next])
  })

  test('keeps connections apart', async (t) => {
    const { database, installed } = await openInstalled(t)
    installed.put(ROUTER)
    const other = new InstalledPackages(database, 'there')
    assert.equal(other.find('router-uni'), undefined)
    other.remove('router-uni')
    assert.equal(installed.list().length, 1)
  })

  test('keeps the marks: installed as a dependency, and held', async (t) => {
    const { installed } = await openInstalled(t)
    installed.put({ ...ROUTER, isAuto: true, isHeld: true })
    const { isAuto, isHeld } = installed.get('router-uni')
    assert.deepEqual([isAuto, isHeld], [true, true])
  })

  test('removes a package with its parameters', async (t) => {
    const { database, installed } = await openInstalled(t)
    installed.put(ROUTER)
    installed.remove('router-uni')
    assert.throws(() => installed.get('router-uni'), { code: 'PACKAGE_NOT_INSTALLED' })
    assert.deepEqual(database.prepare('SELECT * FROM parameters').all(), [])
  })
})
