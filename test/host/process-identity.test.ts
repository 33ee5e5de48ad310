import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { describe, test } from 'node:test'
import { isProcessAlive, parseProcessStat, readBootId } from '../../src/host/process-identity.ts'

const TAIL = '1 1 1 0 -1 4194560 81 0 0 0 0 0 0 0 20 0 1 0 115539 2654208 382'

describe('parseProcessStat', () => {
  test('finds the start time behind a name with blanks and brackets', () => {
    assert.deepEqual(parseProcessStat(`7553 (a) b (c) S ${TAIL}`), { pid: 7_553, startTime: 115_539, state: 'S' })
  })
  for (const line of ['', '7553', '7553 (sh) S 1 2', `x (sh) S ${TAIL}`, `0 (sh) S ${TAIL}`, `7 (sh) 9 ${TAIL}`]) {
    test(`finds none in ${JSON.stringify(line.slice(0, 20))}`, () => {
      assert.equal(parseProcessStat(line), undefined)
    })
  }
})

describe('isProcessAlive', () => {
  test('knows a living process, its end, and another one of its number', async () => {
    const child = spawn('sleep', ['60'], { stdio: 'ignore' })
    await once(child, 'spawn')
    const identity = parseProcessStat(await readFile(`/proc/${child.pid}/stat`, 'utf8'))
    assert.ok(identity)
    assert.equal(await isProcessAlive(identity), true)
    assert.equal(await isProcessAlive({ ...identity, startTime: identity.startTime - 1 }), false)
    child.kill('SIGKILL')
    await once(child, 'exit')
    assert.equal(await isProcessAlive(identity), false)
  })
})

describe('readBootId', () => {
  test('is the same on each reading', async () => {
    assert.match(await readBootId(), /^[0-9a-f-]{36}$/)
    assert.equal(await readBootId(), await readBootId())
  })
})
