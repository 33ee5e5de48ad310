import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { ParameterValues } from '../../src/model/manifest.ts'
import { parseManifest } from '../../src/model/manifest-schema.ts'
import { assignParameters, parseAssignments } from '../../src/operations/parameters.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const MIB = 1024 * 1024

function manifest(name: string, parameters: string): ReturnType<typeof parseManifest> {
  return parseManifest(`vmpkg: 1
name: ${name}
version: 1.0-1
arch: amd64
kind: app
summary: Test
license: Apache-2.0
templates: { domain: domain.xml.hbs }
parameters: { ${parameters} }
`)
}

const MEMORY = 'memory: { type: size, default: 128MiB, maximum: 1GiB }'
const app = manifest('app', `${MEMORY}, vcpus: { type: integer, default: 1 }`)
const router = manifest('router', MEMORY)

function plain(values: ReadonlyMap<string, ParameterValues>): Record<string, Record<string, unknown>> {
  return Object.fromEntries(
    [...values].map(([name, one]) => [
      name,
      Object.fromEntries(Object.entries(one).map(([parameter, { value }]) => [parameter, value])),
    ]),
  )
}

test('an assignment is NAME=VALUE, or PACKAGE:NAME=VALUE; the value may be anything', () => {
  assert.deepEqual(parseAssignments(['memory=192MiB', 'router-uni:uplink=bridge:br0', 'note=a=b\nc:']), [
    { package: undefined, parameter: 'memory', value: '192MiB' },
    { package: 'router-uni', parameter: 'uplink', value: 'bridge:br0' },
    { package: undefined, parameter: 'note', value: 'a=b\nc:' },
  ])
})

test('anything else is a usage error', () => {
  for (const text of ['memory', '=1', '', ':a=1', 'A:b=1', 'a b=1', '__proto__=1']) {
    assert.throws(() => parseAssignments([text]), { code: 'USAGE' }, text)
  }
})

/** A host without files of values. */
const nowhere = { values: '/nonexistent/values', profiles: '/nonexistent/profiles' }
const assign = (packages: Parameters<typeof assignParameters>[1], set: readonly string[]) =>
  assignParameters(nowhere, packages, { set, profiles: [] })

test('what is set reaches the packages that were asked for, never their dependencies', () => {
  const values = assign(
    [
      { manifest: router, isAsked: false },
      { manifest: app, isAsked: true },
    ],
    ['memory=256MiB', 'vcpus=2'],
  )
  assert.deepEqual(plain(values), { router: { memory: 128 * MIB }, app: { memory: 256 * MIB, vcpus: 2 } })
})

test('a package’s name singles it out, a dependency too', () => {
  const values = assign(
    [
      { manifest: router, isAsked: false },
      { manifest: app, isAsked: true },
    ],
    ['router:memory=512MiB'],
  )
  assert.deepEqual(plain(values), { router: { memory: 512 * MIB }, app: { memory: 128 * MIB, vcpus: 1 } })
})

test('of several packages that were asked for, those that have the parameter take it', () => {
  const both = [router, app].map((one) => ({ manifest: one, isAsked: true }))
  assert.deepEqual(plain(assign(both, ['vcpus=3', 'memory=200MiB'])), {
    router: { memory: 200 * MIB },
    app: { memory: 200 * MIB, vcpus: 3 },
  })
  assert.throws(() => assign(both, ['colour=red']), { code: 'PARAMETER_INVALID' })
})

test('an unknown parameter, a value of the wrong type and one out of range are refused', () => {
  for (const text of ['colour=red', 'memory=banana', 'memory=2GiB', 'vcpus=1.5', 'constructor=1']) {
    assert.throws(() => assign([{ manifest: app, isAsked: true }], [text]), { code: 'PARAMETER_INVALID' }, text)
  }
})

test('a package that the command does not touch is a usage error', () => {
  assert.throws(() => assign([{ manifest: app, isAsked: true }], ['roter:memory=256MiB']), {
    code: 'USAGE',
    message: /"roter"/,
  })
})

test('what was set before is kept unless it is set anew; former defaults are not', () => {
  const before: ParameterValues = {
    memory: { value: 300 * MIB, origin: 'command line' },
    vcpus: { value: 7, origin: 'default' },
    gone: { value: 1, origin: 'command line' },
  }
  const kept = assign([{ manifest: app, isAsked: true, before }], [])
  assert.deepEqual(plain(kept), { app: { memory: 300 * MIB, vcpus: 1 } })
  const anew = assign([{ manifest: app, isAsked: true, before }], ['memory=200MiB'])
  assert.deepEqual(plain(anew), { app: { memory: 200 * MIB, vcpus: 1 } })
})

test('defaults, the package’s profile, the user’s profile, the host and the command line win in this order', async (t) => {
  const folder = await makeTempFolder(t)
  const paths = { values: join(folder, 'values'), profiles: join(folder, 'profiles') }
  for (const path of Object.values(paths)) mkdirSync(path)
  const definitions = Object.fromEntries(
    ['a', 'b', 'c', 'd', 'e'].map((name) => [name, { type: 'integer', default: 0 } as const]),
  )
  const rich = { ...app, parameters: definitions, profiles: { fast: { b: 1, c: 1, d: 1, e: 1 } } }
  writeFileSync(join(paths.profiles, 'fast.yaml'), "'*': { c: 2, colour: red }\napp: { d: 2, e: 2 }\n")
  writeFileSync(join(paths.values, '_all.yaml'), 'd: 3\ncolour: red\n')
  writeFileSync(join(paths.values, 'app.yaml'), 'e: 3\n')
  const packages = [{ manifest: rich, isAsked: true }]
  const values = assignParameters(paths, packages, { set: ['e=4'], profiles: ['fast'] }).get('app')
  assert.deepEqual(values, {
    a: { value: 0, origin: 'default' },
    b: { value: 1, origin: 'package' },
    c: { value: 2, origin: 'profile' },
    d: { value: 3, origin: 'host' },
    e: { value: 4, origin: 'command line' },
  })
  // What a profile set stays at the next upgrade, below what is chosen then.
  const later = assignParameters(paths, [{ manifest: rich, isAsked: true, before: values ?? {} }], {
    set: [],
    profiles: [],
  })
  assert.deepEqual(later.get('app'), values)
  // A package that came along gets the user's profile, not that of another package.
  const along = assignParameters(
    paths,
    [
      { manifest: rich, isAsked: false },
      { manifest: { ...router, profiles: { fast: {} } }, isAsked: true },
    ],
    { set: [], profiles: ['fast'] },
  ).get('app')
  assert.deepEqual(along?.['b'], { value: 0, origin: 'default' })
  assert.deepEqual(along?.['c'], { value: 2, origin: 'profile' })

  const attempt = (profiles: readonly string[]) => () => assignParameters(paths, packages, { set: [], profiles })
  assert.throws(attempt(['slow']), { code: 'USAGE', message: /no profile "slow"/, hint: /bring fast/ })
  writeFileSync(join(paths.values, 'app.yaml'), 'colour: red\n')
  assert.throws(attempt([]), { code: 'PARAMETER_INVALID', message: /"colour" \(from host\)/ })
})

test('a list is set once more for each item; anything else takes the last', () => {
  const parameters = { data: { type: 'disk', list: true }, one: { type: 'disk' } } as const
  const set = ['data=/a', 'one=/a', 'data=/b,/c', 'one=/b']
  const values = assign([{ manifest: { ...app, parameters }, isAsked: true }], set).get('app')
  assert.deepEqual(values?.['data'], { value: '/a,/b,/c', origin: 'command line' })
  assert.deepEqual(values?.['one'], { value: '/b', origin: 'command line' })
})
