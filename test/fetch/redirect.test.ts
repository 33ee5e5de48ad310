import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { followRedirect } from '../../src/fetch/redirect.ts'

const FIRST = new URL('https://registry.example/vm/envelope.json')

describe('followRedirect', () => {
  test('resolves relative addresses', () => {
    const to = followRedirect(FIRST, '../other/a?x=1', { first: FIRST, mayLeaveOrigin: false })
    assert.equal(to.href, 'https://registry.example/other/a?x=1')
  })

  test('lets content-addressed files come from anywhere on https', () => {
    const to = followRedirect(FIRST, 'https://cdn.example/a', { first: FIRST, mayLeaveOrigin: true })
    assert.equal(to.href, 'https://cdn.example/a')
  })

  for (const [what, location] of [
    ['down to http', 'http://registry.example/vm/envelope.json'],
    ['to a file of the host', 'file:///etc/passwd'],
    ['to a script', 'javascript:alert(1)'],
    ['without an address', undefined],
    ['to an empty address', ''],
    ['with a line break', '/a\r\nX-Injected: 1'],
    ['with a bare newline', 'https://registry.example/a\nb'],
    ['with a tab', '/a\tb'],
    ['to nonsense', 'https://'],
    ['with credentials', 'https://ada:secret@registry.example/'],
    ['with a user', 'https://ada@registry.example/'],
    ['with a password', 'https://:secret@registry.example/'],
  ] as const) {
    test(`refuses a redirect ${what}, even for content-addressed files`, () => {
      assert.throws(() => followRedirect(FIRST, location, { first: FIRST, mayLeaveOrigin: true }), {
        code: 'REDIRECT_REFUSED',
      })
    })
  }

  test('takes addresses of up to 4096 characters', () => {
    const rules = { first: FIRST, mayLeaveOrigin: false }
    assert.equal(followRedirect(FIRST, `/${'a'.repeat(4095)}`, rules).pathname.length, 4096)
    assert.throws(() => followRedirect(FIRST, `/${'a'.repeat(4096)}`, rules), { code: 'REDIRECT_REFUSED' })
  })

  test('says what is wrong with an empty address', () => {
    for (const location of [undefined, '']) {
      assert.throws(() => followRedirect(FIRST, location, { first: FIRST, mayLeaveOrigin: true }), {
        message: /without saying where to/,
      })
    }
  })

  test('refuses another origin for other files, and counts port and scheme as part of it', () => {
    for (const location of ['https://other.example/', 'https://registry.example:8443/']) {
      assert.throws(() => followRedirect(FIRST, location, { first: FIRST, mayLeaveOrigin: false }), {
        code: 'REDIRECT_REFUSED',
      })
    }
  })
})
