import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { originOf, retryPolicy, stallPolicy, waitBeforeRetry } from '../../src/fetch/mirror.ts'
import { noPenalties } from '../../src/fetch/penalties.ts'
import { testMirror } from '../support/mirror.ts'
import { recordDelays } from '../support/recorded-delays.ts'

const WEB = testMirror(new URL('https://a.example/'))
const FOLDER = testMirror(new URL('file:///srv/registry/'))

describe('originOf', () => {
  test('is local where every place is a folder', () => {
    assert.equal(originOf(FOLDER), 'local')
    assert.equal(originOf(WEB), 'network')
    const set = (...mirrors: [typeof WEB, ...(typeof WEB)[]]) => originOf({ mirrors, penalties: noPenalties })
    assert.equal(set(FOLDER, FOLDER), 'local')
    assert.equal(set(FOLDER, WEB), 'network')
  })
})

describe('patience', () => {
  test('is 1 KiB a second over 30 s, and four fruitless tries of fifty, where nothing else is said', () => {
    const { stall: _stall, retry: _retry, ...plain } = WEB
    assert.deepEqual(stallPolicy(plain), { floor: 1024, windowMs: 30_000 })
    assert.deepEqual(retryPolicy(plain), { fruitless: 4, total: 50, delayMs: 250 })
    assert.deepEqual(stallPolicy(WEB), { floor: 1024, windowMs: 2000 })
    assert.deepEqual(retryPolicy(WEB), { fruitless: 3, total: 20, delayMs: 1 })
  })

  test('waits twice as long with each fruitless round, up to five seconds', async (t) => {
    const waits = recordDelays(t)
    for (const fruitless of [0, 1, 2, 3, 9]) {
      await waitBeforeRetry({ fruitless: 9, total: 9, delayMs: 100 }, fruitless, 'it', undefined)
    }
    assert.deepEqual(waits, [100, 100, 200, 400, 5000])
  })

  test('ends when the user gives up', async () => {
    const patient = { fruitless: 9, total: 9, delayMs: 5000 }
    await assert.rejects(waitBeforeRetry(patient, 1, 'it', AbortSignal.abort()), { code: 'ABORTED' })
  })
})
