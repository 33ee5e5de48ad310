import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isContentAddressed, locateFile, showUrl } from '../../src/fetch/locate.ts'
import { sha256 } from '../../src/model/digest.ts'

describe('locateFile', () => {
  test('stays below the base, with or without its final slash', () => {
    for (const base of ['https://a.example/vm', 'https://a.example/vm/']) {
      assert.equal(locateFile(new URL(base), 'root/1.json').href, 'https://a.example/vm/root/1.json')
    }
    assert.equal(
      locateFile(new URL('file:///srv/registry'), 'envelope.json').href,
      'file:///srv/registry/envelope.json',
    )
    assert.equal(locateFile(new URL('https://a.example/?token=1'), 'a').href, 'https://a.example/a?token=1')
  })

  test('takes paths of up to 200 characters', () => {
    const base = new URL('https://a.example/')
    assert.equal(locateFile(base, 'a'.repeat(200)).pathname.length, 201)
    assert.throws(() => locateFile(base, 'a'.repeat(201)), { code: 'DOWNLOAD_FAILED' })
  })

  for (const path of [
    '',
    '/etc/passwd',
    '../a',
    'a/../b',
    'a/./b',
    'a//b',
    'a\\b',
    'a\r\nb',
    'a?b',
    'a%2e',
    'a/',
    'é',
  ]) {
    test(`refuses the path ${JSON.stringify(path)}`, () => {
      assert.throws(() => locateFile(new URL('https://a.example/vm'), path), { code: 'DOWNLOAD_FAILED' })
    })
  }
})

describe('isContentAddressed', () => {
  test('is true for files named by their digest only', () => {
    const digest = sha256('a')
    assert.ok(isContentAddressed(`blob/${digest}`))
    assert.ok(isContentAddressed(`index/${digest}.jsonl.zst`))
    assert.ok(isContentAddressed(`package/${digest}.vmpkg`))
    for (const path of ['envelope.json', 'root/1.json', `blob/${digest}/x`, `blob/${digest.slice(1)}`, digest]) {
      assert.equal(isContentAddressed(path), false, path)
    }
  })
})

describe('showUrl', () => {
  test('leaves out whatever may be a secret', () => {
    assert.equal(showUrl(new URL('https://ada:pass@a.example/b?token=1#c')), 'https://a.example/b')
  })
})
