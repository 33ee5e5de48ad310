import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { LibvirtError } from '../../src/libvirt/error.ts'
import { formatQuery, parseUri } from '../../src/libvirt/uri-syntax.ts'

const isRefusal = (error: unknown) => error instanceof LibvirtError && error.is('invalidArg') && error.local

describe('parseUri', () => {
  test('takes a URI apart', () => {
    assert.deepEqual(parseUri('QEMU+SSH://me%40home@far-host.example:2222/system?a=1&b=x%2Fy&c'), {
      driver: 'qemu',
      transport: 'ssh',
      user: 'me@home',
      host: 'far-host.example',
      port: 2222,
      path: '/system',
      params: [
        ['a', '1'],
        ['b', 'x/y'],
        ['c', ''],
      ],
    })
  })

  test('takes IPv6 addresses in brackets', () => {
    assert.deepEqual(
      [parseUri('qemu://[::1]:16514/system').host, parseUri('qemu://[::1]:16514/system').port],
      ['::1', 16_514],
    )
    assert.equal(parseUri('qemu+ssh://u@[fe80::1%25eth0]/system').host, 'fe80::1%eth0')
    assert.equal(parseUri('qemu://127.0.0.1/system').host, '127.0.0.1')
  })

  test('parts the query as libvirt does', () => {
    const params = (query: string) => parseUri(`test:///default?${query}`).params
    assert.deepEqual(params('a=1;b=2'), [
      ['a', '1'],
      ['b', '2'],
    ])
    assert.deepEqual(params('a=1;b=2&c=+'), [
      ['a', '1;b=2'],
      ['c', '+'],
    ])
    assert.deepEqual(params('&&a==&=x'), [['a', '=']])
  })

  for (const uri of [
    '',
    'qemu:/system',
    '///system',
    'http//x',
    'qemu+:///system',
    'qemu+xyz://host/system',
    'qemu+unix://host/system',
    'qemu://system',
    'qemu://host:0/system',
    'qemu://host:65536/system',
    'qemu://host:1a/system',
    'qemu://:22/system',
    'qemu+ssh://user@/system',
    'qemu+ssh://-oProxyCommand=x/system',
    'qemu+ssh://%2DoProxyCommand/system',
    'qemu+ssh://-l@host/system',
    'qemu+ssh://@host/system',
    'qemu+ssh://a%0Ab@host/system',
    'qemu://::1/system',
    'qemu://[1.2.3.4]/system',
    'qemu://[::1/system',
    'qemu://ho st/system',
    'qemu://host%20/system',
    'qemu:///a b',
    'qemu:///system?x=%',
    'qemu:///system?x=%ff',
    'qemu:///system?x=%00',
    'qemu:///sys%zztem',
    'qemu:///system#part',
  ]) {
    test(`refuses ${JSON.stringify(uri)}`, () => {
      assert.throws(() => parseUri(uri), isRefusal)
    })
  }

  test('refuses a password without repeating it', () => {
    for (const uri of [
      'qemu+ssh://user:hunter2@host/system',
      'qemu+ssh://user:hunter2@ho st:x/system',
      'qemu+ssh://a@b:hunter2@host/system',
    ])
      assert.throws(
        () => parseUri(uri),
        (error) => isRefusal(error) && !String(error).includes('hunter2'),
      )
  })

  test('gives the parts or a clear refusal for any text', () => {
    const pieces = fc.constantFrom(
      'qemu',
      '+ssh',
      '://',
      '/',
      '@',
      ':',
      '[',
      ']',
      '%',
      '?',
      '&',
      '=',
      '-',
      'a',
      '\0',
      ' ',
      '\u00fc',
      '1',
    )
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 24 }), (parts) => {
        try {
          const { host, user } = parseUri(parts.join(''))
          assert.ok(host?.startsWith('-') !== true && user?.startsWith('-') !== true)
        } catch (error) {
          assert.ok(isRefusal(error), String(error))
        }
      }),
      { numRuns: 2000 },
    )
  })

  test('reads back what formatQuery writes', () => {
    const text = fc.string({ unit: 'binary', minLength: 1 }).filter((one) => !one.includes('\0') && one.isWellFormed())
    fc.assert(
      fc.property(fc.array(fc.tuple(text, fc.oneof(text, fc.constant('')))), (params) => {
        assert.deepEqual(parseUri(`test:///default${formatQuery(params)}`).params, params)
      }),
    )
  })
})
