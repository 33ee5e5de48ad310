import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { sha256 } from '../../src/model/digest.ts'
import { formatTrustMarks, parseTrustMarks, type TrustMarks } from '../../src/trust/marks.ts'

const REGISTRY_ID = '0123456789abcdef'.repeat(2)
const root = { version: 1, sha256: sha256('root') }
const all: TrustMarks = {
  registryId: REGISTRY_ID,
  root,
  envelope: { version: 3, sha256: sha256('payload'), issuedAt: new Date('2026-02-03T04:05:06Z') },
  channels: { version: 2, sha256: sha256('channels') },
}

describe('trust marks', () => {
  test('come back as they were stored, the first ones of a source too', () => {
    for (const marks of [all, { registryId: REGISTRY_ID, root }]) {
      assert.deepEqual(parseTrustMarks(formatTrustMarks(marks)), marks)
    }
  })

  test('that are damaged are never taken for nothing seen yet', () => {
    const text = formatTrustMarks(all)
    const changed = (changes: object): string => JSON.stringify({ ...JSON.parse(text), ...changes })
    for (const wrong of [
      '',
      'null',
      '{}',
      text.slice(0, -1),
      changed({ registryId: `${REGISTRY_ID}0` }),
      changed({ registryId: REGISTRY_ID.toUpperCase() }),
      changed({ root: { ...root, version: 0 } }),
      changed({ root: { ...root, sha256: 'x' } }),
      changed({ envelope: root }),
      changed({ channels: { ...root, issuedAt: '2026-02-03T04:05:06Z' } }),
      changed({ envelope: null }),
      changed({ more: 1 }),
    ]) {
      assert.throws(() => parseTrustMarks(wrong), { code: 'STATE_INVALID', message: /^The stored trust state/ }, wrong)
    }
    assert.deepEqual(parseTrustMarks(changed({})), all)
  })
})
