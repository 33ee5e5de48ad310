import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { PAYLOAD_TYPES, preAuthEncoding } from '../../src/trust/pae.ts'

describe('preAuthEncoding', () => {
  test('carries type and payload with their lengths in bytes', () => {
    const encoded = Buffer.from(preAuthEncoding('line', Buffer.from('{"é":1}'))).toString()
    assert.equal(encoded, 'vmpkg-envelope 1 31 application/vnd.vmpkg.line+json 8 {"é":1}')
  })

  test('names every kind of document for good: a name that changed would void every signature', () => {
    const kinds = ['envelope', 'root', 'line', 'channels', 'submission']
    assert.deepEqual(
      Object.entries(PAYLOAD_TYPES),
      kinds.map((kind) => [kind, `application/vnd.vmpkg.${kind}+json`]),
    )
  })
})
