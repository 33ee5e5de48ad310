import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { sha256 } from '../../src/model/digest.ts'
import { parseFingerprint } from '../../src/model/fingerprint.ts'
import {
  formatExpiry,
  formatSource,
  parseExpiry,
  parseSource,
  parseSourceName,
  parseSourceUrl,
  type Source,
} from '../../src/sources/source.ts'

const SOURCE: Source = {
  name: 'example',
  url: new URL('https://registry.example/vm/'),
  mirrors: [],
  proxy: 'environment',
  pin: { version: 3, sha256: sha256('root') },
  registryId: '0123456789abcdef'.repeat(2),
  rootKeys: [parseFingerprint('A'.repeat(40))],
  expiry: { kind: 'grace', graceMs: 3 * 86_400_000 },
  priority: 500,
  addedAt: new Date('2026-11-21T12:00:00Z'),
}

describe('parseSource', () => {
  test('is the inverse of formatSource', () => {
    const expiries = [SOURCE.expiry, { kind: 'strict' }, { kind: 'snapshot', at: SOURCE.addedAt }] as const
    for (const expiry of expiries) {
      const source = { ...SOURCE, expiry }
      assert.deepEqual(parseSource('example', formatSource(source)), source)
    }
  })

  const text = formatSource(SOURCE)
  for (const [what, changed] of [
    ['no root: a source without a pinned root is none', text.replace(/root:\n.*\n.*\n/, '')],
    ['a digest that is none', text.replace(sha256('root'), 'abc')],
    ['an unknown field', `${text}trusted: yes\n`],
    ['a field twice', `${text}url: https://elsewhere.example/\n`],
    ['an alias', text.replace(/registryId: .*/, 'registryId: &a 0\nx: *a')],
    ['a short key id', text.replace('A'.repeat(40), 'A'.repeat(16))],
    ['another kind of address', text.replace('https:', 'ftp:')],
    ['no YAML', '{'],
    ['too much YAML', `${text}#${'x'.repeat(70_000)}`],
  ] as const) {
    test(`refuses ${what}`, () => {
      assert.throws(() => parseSource('example', changed), { code: 'SOURCE_INVALID' })
    })
  }
})

describe('parseSourceUrl', () => {
  for (const [text, href] of [
    ['https://a.example/vm', 'https://a.example/vm/'],
    ['./registry', 'file:///home/ada/registry/'],
    ['/srv/a b', 'file:///srv/a%20b/'],
    ['file:///srv/registry', 'file:///srv/registry/'],
  ] as const) {
    test(`reads ${text}`, () => assert.equal(parseSourceUrl(text, '/home/ada').href, href))
  }
  for (const text of ['', 'ftp://a.example/', 'file://host/srv', 'https://', 'https://a.example/#part']) {
    test(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseSourceUrl(text, '/home/ada'), { code: 'SOURCE_INVALID' })
    })
  }
})

describe('parseExpiry', () => {
  test('reads what formatExpiry writes', () => {
    for (const text of ['strict', 'grace 7 days', 'snapshot 2026-11-21T00:00:00Z']) {
      assert.equal(formatExpiry(parseExpiry(text)), text)
    }
    assert.equal(formatExpiry(parseExpiry('grace')), 'grace 7 days')
  })

  for (const text of ['', 'lax', 'grace x days', 'graceful', 'snapshot', 'snapshot 2026-99-99T00:00:00Z']) {
    test(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseExpiry(text), { code: 'SOURCE_INVALID' })
    })
  }
})

describe('parseSourceName', () => {
  for (const name of ['', '.', '..', 'a/b', '../a', 'A', '-a', 'a..b', 'a'.repeat(49)]) {
    test(`refuses ${JSON.stringify(name)}`, () => {
      assert.throws(() => parseSourceName(name), { code: 'SOURCE_INVALID' })
    })
  }
})
