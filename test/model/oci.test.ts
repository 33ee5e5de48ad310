import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isVmpkgError } from '../../src/errors.ts'
import { sha256 } from '../../src/model/digest.ts'
import {
  formatManifest,
  ociName,
  ociUrl,
  packageTag,
  parseManifest,
  pathOfTag,
  readOciUrl,
  tagOf,
} from '../../src/model/oci.ts'

const DIGEST = sha256('x')
/** OCI Distribution Specification 1.1, "Pulling manifests". */
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/

describe('readOciUrl', () => {
  test('names server and repository; plain http only of this host', () => {
    const place = readOciUrl(new URL('oci://Registry.example:5000/team/vm_pkg/'))
    assert.ok(typeof place === 'object')
    assert.equal(ociUrl(place, 'tags/list').href, 'https://registry.example:5000/v2/team/vm_pkg/tags/list')
    const local = readOciUrl(new URL('oci+http://127.0.0.1:5000/a'))
    assert.ok(typeof local === 'object')
    assert.equal(local.server.href, 'http://127.0.0.1:5000/')
    for (const text of [
      'oci+http://registry.example/a',
      'oci://registry.example/',
      'oci://registry.example/Upper',
      'oci://registry.example/a/../b/..',
      'oci://registry.example/a//b',
      'oci:///a',
      'https://registry.example/a',
    ]) {
      assert.equal(typeof readOciUrl(new URL(text)), 'string', text)
    }
  })
})

describe('ociName', () => {
  test('is the digest of what is named by it, and a tag of everything else', () => {
    for (const path of ['blob/D', 'map/D', 'transport/D', 'package/D.vmpkg', 'index/D.jsonl.zst', 'channels/D.json']) {
      assert.deepEqual(ociName(path.replace('D', DIGEST)), { digest: DIGEST })
    }
    assert.deepEqual(ociName('envelope.json'), { tag: 'envelope' })
    for (const path of ['root/1.json', `history/${DIGEST}.json`, 'snapshot/20261121T000000Z.json', '.publishing/a.b']) {
      const tag = tagOf(path)
      assert.match(tag, TAG)
      assert.equal(pathOfTag(path.replace(/\/.*/, ''), tag), path)
    }
    assert.equal(pathOfTag('root', 'envelope'), undefined)
  })

  test('a tag of a package is one for every version there is, and another for other bytes', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 200 })
    fc.assert(
      fc.property(text, text, (name, version) => {
        const line = { name, version, arch: 'amd64' }
        assert.match(packageTag(line, Buffer.from('a')), TAG)
        assert.notEqual(packageTag(line, Buffer.from('a')), packageTag(line, Buffer.from('b')))
      }),
    )
    const line = { name: 'router-uni', version: '1:1.0~rc1-1', arch: 'amd64' }
    assert.match(packageTag(line, Buffer.from('a')), /^package\.router-uni_1-1\.0-rc1-1_amd64\.[0-9a-f]{16}$/)
  })
})

describe('parseManifest', () => {
  test('reads what was written; equal files under two tags are two manifests', () => {
    const layers = [
      { path: 'root/1.json', sha256: DIGEST, size: 1 },
      { path: 'map/x', sha256: sha256('y'), size: 2 },
    ]
    const bytes = formatManifest('root.1', layers)
    assert.deepEqual(
      parseManifest(bytes),
      layers.map(({ sha256: digest, size }) => ({ sha256: digest, size })),
    )
    assert.notDeepEqual(formatManifest('root.2', layers), bytes)
  })

  test('any bytes are a manifest or REGISTRY_INVALID', () => {
    const hostile = ['', '{', '[]', 'null', '{"layers":[]}', '{"layers":[{"digest":"sha512:00","size":1}]}', '\u00ff']
    const json = fc.json().map((text) => Buffer.from(text))
    fc.assert(
      fc.property(
        fc.oneof(
          json,
          fc.uint8Array(),
          fc.constantFrom(...hostile).map((text) => Buffer.from(text)),
        ),
        (bytes) => {
          try {
            parseManifest(bytes)
          } catch (error) {
            assert.ok(isVmpkgError(error, 'REGISTRY_INVALID'))
          }
        },
      ),
    )
    for (const text of hostile) assert.throws(() => parseManifest(Buffer.from(text)), { code: 'REGISTRY_INVALID' })
  })
})
