import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { canonicalJsonBytes } from '../../src/model/canonical-json.ts'
import { sha256 } from '../../src/model/digest.ts'
import type { PackageLine } from '../../src/model/line.ts'
import { formatPackageLine, parsePackageLine, parseTransport } from '../../src/model/line-schema.ts'

const digest = sha256('x')
const line: PackageLine = {
  name: 'router-uni',
  version: '1.0-1',
  arch: 'amd64',
  kind: 'router',
  summary: 'Router',
  layer: 'uni',
  depends: ['base (>= 1.2) | other'],
  recommends: [],
  provides: [],
  conflicts: [],
  replaces: [],
  capabilities: [
    { name: 'network', lan: 'uni', wan: 'uplink' },
    { name: 'hugepages', optional: true },
  ],
  images: [{ role: 'root', format: 'raw', digest, size: 4096, map: { sha256: digest, size: 10 }, verityRoot: digest }],
  package: { sha256: digest, size: 10 },
  supportEndsAt: '2028-06-30',
}

describe('a package line', () => {
  test('comes back from its bytes as it was, and has one spelling', () => {
    const bytes = formatPackageLine(line)
    assert.deepEqual(parsePackageLine(bytes), line)
    assert.deepEqual(formatPackageLine(parsePackageLine(bytes)), bytes)
  })

  test('may carry facts of later formats under x-, which are covered by the signature and ignored', () => {
    assert.deepEqual(parsePackageLine(canonicalJsonBytes({ ...line, 'x-later': { a: 1 } })), line)
  })

  const [image] = line.images
  const refused: Readonly<Record<string, object>> = {
    'an unknown field': { ...line, later: 1 },
    'a channel, which the promoter signs': { ...line, channel: 'stable' },
    'a name that is a path': { ...line, name: '../x' },
    'a version that is none': { ...line, version: 'x' },
    'a layer on an app': { ...line, kind: 'app' },
    'an unknown capability': { ...line, capabilities: [{ name: 'shell' }] },
    'an unknown layer': { ...line, layer: 'lun' },
    'a role twice': { ...line, images: [image, image] },
    'an image in another format': { ...line, images: [{ ...image, format: 'qcow2' }] },
    'an image of no size': { ...line, images: [{ ...image, size: 0 }] },
    'a root hash that is not hexadecimal': { ...line, images: [{ ...image, verityRoot: 'g'.repeat(64) }] },
    'a root hash that is cut off': { ...line, images: [{ ...image, verityRoot: digest.slice(1) }] },
    'a root hash on another image than the root': { ...line, images: [{ ...image, role: 'disk' }] },
    'a root hash where the size is not that of data with their tree': {
      ...line,
      images: [{ ...image, size: 8192 }],
    },
    'a digest in upper case': { ...line, package: { sha256: digest.toUpperCase(), size: 1 } },
    'a summary of two lines': { ...line, summary: 'a\nb' },
    'a date that is none': { ...line, supportEndsAt: '2028-02-30' },
    'a missing field': { ...line, depends: undefined },
  }
  for (const [what, value] of Object.entries(refused)) {
    test(`refuses ${what}`, () => {
      assert.throws(() => parsePackageLine(canonicalJsonBytes(value)), { code: 'INDEX_INVALID' })
    })
  }

  test('refuses bytes that are not canonical', () => {
    const spaced = new TextEncoder().encode(JSON.stringify(line, undefined, 1))
    assert.throws(() => parsePackageLine(spaced), { code: 'INDEX_INVALID' })
  })
})

describe('parseTransport', () => {
  test('takes digests only as keys', () => {
    const one = { index: { sha256: digest, size: 1 }, fullBytes: 5 }
    assert.deepEqual(parseTransport({ images: { [digest]: one } }), { images: { [digest]: one } })
    assert.throws(() => parseTransport({ images: { constructor: one } }), { code: 'INDEX_INVALID' })
    assert.throws(() => parseTransport({ images: { [digest]: { ...one, fullBytes: -1 } } }), { code: 'INDEX_INVALID' })
  })
})
