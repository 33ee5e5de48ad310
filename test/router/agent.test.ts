import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { sha256 } from '../../src/model/digest.ts'
import { findReply, formatRequest, MAX_REPLY_BYTES, verifyAttestation } from '../../src/router/agent.ts'

const nonce = '0123456789abcdef0123456789abcdef'
const rules = sha256('table inet vmpkg {}')
const reply = { vmpkg: 1, nonce, verb: 'status', ok: true, ready: true, rules: { sha256: rules, matches: true } }

describe('findReply', () => {
  test('reads how far Tor is, within bounds', () => {
    const tor = { network: 'public', state: 'connecting', progress: 45, phase: 'loading_descriptors' }
    assert.deepEqual(findReply(JSON.stringify({ ...reply, tor }))?.tor, tor)
    for (const wrong of [{ progress: 101 }, { phase: 'a b' }, { network: 'A\u001b' }, { state: 'fine' }]) {
      assert.equal(findReply(JSON.stringify({ ...reply, tor: { ...tor, ...wrong } })), undefined)
    }
  })

  test('reads a reply and drops what it does not know', () => {
    assert.deepEqual(findReply(JSON.stringify({ ...reply, evil: '\u001b[2J' })), reply)
  })

  test('passes over announcements, garbage and endless lines', () => {
    assert.equal(findReply('{"vmpkg":1,"event":"ready"}'), undefined)
    assert.equal(findReply('\u0000\u0001'), undefined)
    assert.equal(findReply(JSON.stringify({ ...reply, pad: 'x'.repeat(MAX_REPLY_BYTES) })), undefined)
  })

  test('never throws, whatever the guest sends', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (line) => void findReply(line)))
  })
})

test('formatRequest is one line', () => {
  assert.equal(formatRequest('status', nonce), `status ${nonce}\n`)
})

describe('verifyAttestation', () => {
  const parsed = findReply(JSON.stringify(reply))
  assert.ok(parsed)

  test('accepts the rules that were rendered', () => {
    assert.equal(verifyAttestation(parsed, rules, 'router-uni'), parsed)
  })

  test('refuses other rules, changed rules and silence about rules', () => {
    const { rules: _none, ...silent } = parsed
    const changed = { ...parsed, rules: { sha256: rules, matches: false } }
    for (const [bad, expected] of [
      [parsed, sha256('other')],
      [changed, rules],
      [silent, rules],
    ] as const) {
      assert.throws(() => verifyAttestation(bad, expected, 'router-uni'), { code: 'ATTESTATION_FAILED' })
    }
  })
})
