import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  isDomainName,
  isNamePattern,
  isPackageName,
  matchesNamePattern,
  parseDomainName,
  parsePackageName,
} from '../../src/model/name.ts'

describe('parsePackageName', () => {
  test('accepts plain names', () => {
    for (const name of ['router-uni', 'tor', 'app-7zip', 'a1']) assert.equal(parsePackageName(name), name)
  })
  for (const name of [
    '',
    'a',
    'Router',
    '-a',
    'a-',
    'a--b',
    'a_b',
    'a/b',
    '../a',
    'a b',
    'a\n',
    'é1',
    '1a',
    'a'.repeat(49),
    'a.b',
  ]) {
    test(`refuses ${JSON.stringify(name.slice(0, 12))}`, () => {
      assert.equal(isPackageName(name), false)
      assert.throws(() => parsePackageName(name), { code: 'NAME_INVALID' })
    })
  }
})

describe('parseDomainName', () => {
  test('accepts labels of RFC 1123 in lower case', () => {
    for (const name of ['uni0', 'router-uni-1', '9p', 'a'.repeat(63)]) assert.equal(parseDomainName(name), name)
  })
  test('refuses what is no label', () => {
    for (const name of ['', '-a', 'a-', 'A', 'a.b', 'a'.repeat(64), 'a;b']) {
      assert.equal(isDomainName(name), false)
      assert.throws(() => parseDomainName(name), { code: 'NAME_INVALID' })
    }
  })
})

describe('name patterns', () => {
  test('match exactly, or by their beginning', () => {
    assert.ok(matchesNamePattern('router-*', 'router-uni'))
    assert.ok(matchesNamePattern('*', 'anything'))
    assert.ok(matchesNamePattern('tor', 'tor'))
    assert.ok(!matchesNamePattern('tor', 'tor-browser'))
    assert.ok(!matchesNamePattern('router-*', 'app-router-x'))
  })
  test('have a star at the end only', () => {
    assert.ok(['*', 'router-*', 'tor', 'a*'].every(isNamePattern))
    assert.ok(!['', '**', '*a', 'a*b', 'A*', '.*', 'a?'].some(isNamePattern))
  })
})
