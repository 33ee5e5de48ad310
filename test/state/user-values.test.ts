import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { readHostValues, readProfile } from '../../src/state/user-values.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

async function folders(t: Parameters<typeof makeTempFolder>[0], files: Readonly<Record<string, string>>) {
  const folder = await makeTempFolder(t)
  for (const name of ['values', 'profiles']) mkdirSync(join(folder, name))
  for (const [path, text] of Object.entries(files)) writeFileSync(join(folder, path), text)
  return { values: join(folder, 'values'), profiles: join(folder, 'profiles') }
}

test('values of the host are those for all and those of the package', async (t) => {
  const paths = await folders(t, {
    'values/_all.yaml': 'memory: 1GiB\n',
    'values/app.yaml': 'vcpus: 2\ndata: [/a, /b]\n',
  })
  assert.deepEqual(readHostValues(paths, 'app'), {
    origin: 'host',
    forAll: { memory: '1GiB' },
    forPackage: { vcpus: 2, data: ['/a', '/b'] },
  })
  assert.deepEqual(readHostValues(paths, 'other').forPackage, {})
})

test('a profile has values by package and for all; one that is not there is none', async (t) => {
  const paths = await folders(t, {
    'profiles/gaming.yaml': '"*": { memory: 8GiB }\napp: { vcpus: 6 }\n',
    'profiles/empty.yaml': '',
  })
  assert.deepEqual(readProfile(paths, 'gaming', 'app'), {
    origin: 'profile',
    forAll: { memory: '8GiB' },
    forPackage: { vcpus: 6 },
  })
  assert.deepEqual(readProfile(paths, 'empty', 'app')?.forPackage, {})
  assert.equal(readProfile(paths, 'office', 'app'), undefined)
})

test('a file that can be read in two ways, or holds anything but values, is refused by its name', async (t) => {
  const wrong = {
    doubled: 'a: 1\na: 2\n',
    nested: 'app: { a: { b: 1 } }\n',
    list: '- a\n',
    alias: 'app: &x { a: 1 }\nweb: *x\n',
    names: 'App!: { a: 1 }\n',
    broken: 'app: { a: 1\n',
  }
  const files = Object.fromEntries(Object.entries(wrong).map(([name, text]) => [`profiles/${name}.yaml`, text]))
  const paths = await folders(t, files)
  for (const name of Object.keys(wrong)) {
    const expected = { code: 'PARAMETER_INVALID', message: new RegExp(`${name}\\.yaml`) }
    assert.throws(() => readProfile(paths, name, 'app'), expected, name)
  }
  for (const name of ['../x', 'A', '', 'x'.repeat(41)]) {
    assert.throws(() => readProfile(paths, name, 'app'), { code: 'USAGE' }, name)
  }
})
