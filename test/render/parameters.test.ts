import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { isVmpkgError, type VmpkgError } from '../../src/errors.ts'
import type { Parameter } from '../../src/model/manifest.ts'
import { formatParameter, mergeParameters, toJsonSchema } from '../../src/render/parameters.ts'

const definitions: Record<string, Parameter> = {
  memory: { type: 'size', default: '192MiB', minimum: '128MiB', maximum: '4GiB' },
  cpus: { type: 'integer', default: 1, minimum: 1, maximum: 8 },
  quiet: { type: 'boolean', default: false },
  mode: { type: 'choice', values: ['fast', 'safe'], default: 'safe' },
  name: { type: 'string', pattern: '[a-z][a-z0-9-]*', maxLength: 20, optional: true },
  note: { type: 'string', optional: true },
  uplink: { type: 'uplink', default: 'auto' },
  vpn: { type: 'file', format: 'ovpn', optional: true },
  password: { type: 'string', secret: true, optional: true, pattern: '[a-z]+' },
}

function refusal(name: string, value: unknown): VmpkgError {
  try {
    mergeParameters(definitions, [{ origin: 'command line', values: { [name]: value } }])
  } catch (error) {
    assert.ok(isVmpkgError(error, 'PARAMETER_INVALID'), String(error))
    return error
  }
  return assert.fail(`${name}=${JSON.stringify(value)} was accepted`)
}

test('later origins win in the fixed order, whatever order they come in', () => {
  const values = mergeParameters(definitions, [
    { origin: 'command line', values: { memory: '1GiB' } },
    { origin: 'package', values: { memory: '256MiB', cpus: 2, mode: 'fast' } },
    { origin: 'host', values: { cpus: '4' } },
    { origin: 'profile', values: { cpus: 3, quiet: true } },
  ])
  assert.deepEqual(values, {
    memory: { value: 1024 ** 3, origin: 'command line' },
    cpus: { value: 4, origin: 'host' },
    quiet: { value: true, origin: 'profile' },
    mode: { value: 'fast', origin: 'package' },
    uplink: { value: 'auto', origin: 'default' },
  })
})

test('values are accepted as text and as YAML', () => {
  const accepted: [string, unknown, unknown][] = [
    ['memory', '128MiB', 128 * 1024 ** 2],
    ['memory', '4GiB', 4 * 1024 ** 3],
    ['cpus', '8', 8],
    ['quiet', 'true', true],
    ['quiet', 'false', false],
    ['name', 'a-1', 'a-1'],
    ['note', `quotes ' " and <tags> ]]>`, `quotes ' " and <tags> ]]>`],
    ['uplink', 'network:default', 'network:default'],
    ['uplink', 'bridge:br0', 'bridge:br0'],
    ['uplink', 'pci:0000:03:00.0', 'pci:0000:03:00.0'],
    ['vpn', '/home/me/a.ovpn', '/home/me/a.ovpn'],
  ]
  for (const [name, written, value] of accepted) {
    const values = mergeParameters(definitions, [{ origin: 'host', values: { [name]: written } }])
    assert.deepEqual(values[name], { value, origin: 'host' }, `${name}=${String(written)}`)
  }
})

test('what a type does not allow is refused with PARAMETER_INVALID', () => {
  const refused: [string, unknown][] = [
    ['memory', '64MiB'],
    ['memory', '8GiB'],
    ['memory', '1GB'],
    ['memory', 200_000_000],
    ['memory', '-192MiB'],
    ['cpus', 0],
    ['cpus', '9'],
    ['cpus', '1.5'],
    ['cpus', 1.5],
    ['cpus', '0x1'],
    ['cpus', ''],
    ['quiet', 'maybe'],
    ['quiet', 1],
    ['mode', 'slow'],
    ['mode', 'constructor'],
    ['name', 'A'],
    ['name', 'a'.repeat(21)],
    ['note', 'a\nb'],
    ['note', '\u001b[31m'],
    ['note', '\uD800'],
    ['note', 'a'.repeat(257)],
    ['note', { toString: 'x' }],
    ['note', null],
    ['uplink', 'network:'],
    ['uplink', 'network:a b'],
    ['uplink', "bridge:br0'/><x"],
    ['uplink', 'bridge:muchtoolongforabridge'],
    ['uplink', 'pci:03:00.0'],
    ['uplink', 'pci:0000:03:00.9'],
    ['vpn', ''],
    ['vpn', '/a\u0000b'],
    ['nothing', 'x'],
    ['__proto__x', 'x'],
    ['toString', 'x'],
  ]
  for (const [name, value] of refused) refusal(name, value)
})

test('a refusal names the parameter, the value, where it came from and what is allowed', () => {
  const error = refusal('memory', '64MiB')
  assert.match(error.message, /"memory".*"64MiB".*command line/)
  assert.match(error.hint ?? '', /128MiB to 4GiB/)
  assert.deepEqual(error.details, {
    parameter: 'memory',
    origin: 'command line',
    allowed: 'a size such as 192MiB, 128MiB to 4GiB',
    value: '"64MiB"',
  })
})

test('a secret value never appears in a refusal', () => {
  const error = refusal('password', 'HUNTER2')
  assert.doesNotMatch(`${error.message} ${error.hint} ${JSON.stringify(error.details)}`, /HUNTER2/)
})

test('a parameter without default and value is refused unless it is optional', () => {
  const needed: Record<string, Parameter> = { host: { type: 'string' } }
  assert.throws(
    () => mergeParameters(needed),
    (error) => isVmpkgError(error, 'PARAMETER_INVALID'),
  )
  assert.deepEqual(mergeParameters({ host: { type: 'string', optional: true } }), {})
})

test('a default that its own definition forbids is refused', () => {
  const wrong: Record<string, Parameter> = { memory: { type: 'size', default: '1MiB', minimum: '2MiB' } }
  assert.throws(
    () => mergeParameters(wrong),
    (error) => isVmpkgError(error, 'PARAMETER_INVALID'),
  )
})

test('definitions become JSON Schema', () => {
  const schema = toJsonSchema({ ...definitions, host: { type: 'string' } })
  assert.deepEqual(schema['required'], ['host'])
  assert.deepEqual(Object.keys(schema['properties'] ?? {}), [...Object.keys(definitions), 'host'])
})

test('values print as they are written', () => {
  assert.equal(formatParameter({ type: 'size' }, 192 * 1024 ** 2), '192MiB')
  assert.equal(formatParameter({ type: 'boolean' }, true), 'true')
})

test('the JSON Schema takes exactly what is accepted, as YAML would give it', () => {
  const all: Record<string, Parameter> = {
    ...definitions,
    gpu: { type: 'pci', optional: true },
    data: { type: 'disk', list: true, optional: true },
    ports: { type: 'forward', list: true, optional: true },
    net: { type: 'card', optional: true },
  }
  const schema = z.fromJSONSchema(toJsonSchema(all))
  const written: readonly Readonly<Record<string, unknown>>[] = [
    {},
    { memory: '1GiB', cpus: 2, quiet: true, mode: 'fast', name: 'a-1' },
    { gpu: '01:00.0', data: ['/srv/a', '/srv/b'], ports: ['80:80'], net: 'mcast:230.0.0.1:5558' },
    { data: [] },
    { gpu: 'gpu' },
    { data: ['srv/a'] },
    { data: '/srv/a', net: 7 },
    { ports: ['80'] },
    { net: 'tap:tap0' },
    { colour: 'red' },
    { cpus: 9 },
    { mode: 'slow' },
    { memory: 5 },
  ]
  for (const values of written) {
    let isAccepted = true
    try {
      mergeParameters(all, [{ origin: 'host', values }])
    } catch (error) {
      assert.ok(isVmpkgError(error, 'PARAMETER_INVALID'), String(error))
      isAccepted = false
    }
    const text = JSON.stringify(values)
    // Text with commas is for command lines; in YAML a list is a list.
    assert.equal(schema.safeParse({ ...values }).success, isAccepted && typeof values['data'] !== 'string', text)
  }
})

test('lists are accepted as YAML lists and as text with commas, and refused whole for one wrong item', () => {
  const data: Record<string, Parameter> = { data: { type: 'disk', list: true, default: ['/a', '/b'] } }
  const value = (written?: unknown): unknown =>
    mergeParameters(data, written === undefined ? [] : [{ origin: 'host', values: { data: written } }])['data']?.value
  assert.equal(value(), '/a,/b')
  assert.equal(value(['/c']), '/c')
  assert.equal(value('/c,/d'), '/c,/d')
  assert.equal(value([]), '')
  assert.equal(value(''), '')
  for (const wrong of [
    ['/c', 'd'],
    '/c,',
    ',',
    [1],
    [['/c']],
    {},
    5,
    null,
    Array.from({ length: 33 }, (_, at) => `/${at}`),
  ]) {
    assert.throws(() => value(wrong), { code: 'PARAMETER_INVALID' }, JSON.stringify(wrong))
  }
})
