import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { LibvirtError } from '../../src/libvirt/error.ts'
import { saslprep } from '../../src/libvirt/saslprep.ts'

describe('saslprep', () => {
  // The first five are the examples of RFC 4013, section 3.
  for (const [given, expected] of [
    ['I\u00adX', 'IX'],
    ['user', 'user'],
    ['USER', 'USER'],
    ['\u00aa', 'a'],
    ['\u2168', 'IX'],
    ['a\u00a0b\u3000c', 'a b c'],
    ['pa ss', 'pa ss'],
    ['e\u0301', '\u00e9'],
    ['\u05d0\u05d1', '\u05d0\u05d1'],
    ['\u05d01\u05d1', '\u05d01\u05d1'],
    ['\u{1f600}', '\u{1f600}'],
  ] as const) {
    test(`makes ${JSON.stringify(expected)} of ${JSON.stringify(given)}`, () => {
      assert.equal(saslprep(given, 'password'), expected)
    })
  }

  for (const given of [
    '\u0007',
    'a\nb',
    '\u0627\u0031',
    '\u05d0a\u05d1',
    '\ue000',
    '\ufdd0',
    '\ud800',
    '\u200e',
    '\ufffd',
    '',
    '\u00ad',
  ]) {
    test(`refuses ${JSON.stringify(given)}, without repeating it`, () => {
      assert.throws(
        () => saslprep(given, 'password'),
        (error) =>
          error instanceof LibvirtError && error.is('invalidArg') && /^the password .*RFC 4013/.test(error.message),
      )
    })
  }
})
