import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { sha256 } from '../../src/model/digest.ts'
import { parseFingerprint } from '../../src/model/fingerprint.ts'
import {
  formatExpiry,
  formatSource,
  hasSecret,
  parseExpiry,
  parseSource,
  parseSourceName,
  parseSourceUrl,
  placesOf,
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

  test('keeps mirrors and proxy, and leaves out what is as by default', () => {
    const mirrors = [new URL('https://mirror.example/vm/'), new URL('file:///srv/vm/')]
    for (const proxy of ['environment', 'none', new URL('http://proxy.example:3128/')] as const) {
      const source = { ...SOURCE, mirrors, proxy }
      assert.deepEqual(parseSource('example', formatSource(source)), source)
    }
    assert.doesNotMatch(formatSource(SOURCE), /mirrors|proxy/)
  })

  test('asks the address first, and no place twice', () => {
    const again = new URL(SOURCE.url)
    const other = new URL('https://b.example/')
    assert.deepEqual(placesOf({ url: SOURCE.url, mirrors: [again, other, new URL(other)] }), [SOURCE.url, other])
  })

  test('knows where it holds a secret', () => {
    const secrets = { mirrors: [new URL('https://ada:x@b.example/')], proxy: new URL('http://ada:x@p.example/') }
    assert.equal(hasSecret(SOURCE), false)
    assert.equal(hasSecret({ ...SOURCE, mirrors: secrets.mirrors }), true)
    assert.equal(hasSecret({ ...SOURCE, proxy: secrets.proxy }), true)
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
    ['a mirror of another kind', `${text}mirrors: ['ftp://a.example/']\n`],
    ['a proxy of another kind', `${text}proxy: socks5://a.example\n`],
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
