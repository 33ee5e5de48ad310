import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { inOrder } from '../../src/fetch/mirror.ts'
import { filePenalties } from '../../src/fetch/penalties.ts'
import { fixedClock } from '../support/fixed-clock.ts'
import { testMirror } from '../support/mirror.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const A = new URL('https://ada:secret@a.example/vm/')
const B = new URL('https://b.example/vm/')
const MINUTE_MS = 60_000

test('a fault weighs by its kind, halves every ten minutes and is forgiven in the end', async (t) => {
  const clock = fixedClock()
  const penalties = filePenalties(join(await makeTempFolder(t), 'mirrors.json'), clock)
  assert.equal(penalties.weightOf(A), 0)
  penalties.blame(A, 'stalled')
  penalties.blame(B, 'wrong-bytes')
  assert.deepEqual(
    [A, B].map((base) => penalties.weightOf(base)),
    [4, 16],
  )
  clock.advance(10 * MINUTE_MS)
  assert.deepEqual(
    [A, B].map((base) => penalties.weightOf(base)),
    [2, 8],
  )
  clock.advance(-60 * MINUTE_MS)
  assert.equal(penalties.weightOf(A), 4)
  clock.advance(90 * MINUTE_MS)
  assert.equal(penalties.weightOf(A), 0)
  for (let count = 0; count < 20; count++) penalties.blame(A, 'wrong-bytes')
  assert.equal(penalties.weightOf(A), 64)
})

test('mirrors are asked as the user wrote them, those with faults last', async (t) => {
  const penalties = filePenalties(join(await makeTempFolder(t), 'mirrors.json'), fixedClock())
  const [a, b] = [testMirror(A), testMirror(B)]
  const set = { mirrors: [a, b], penalties } as const
  assert.deepEqual(inOrder(set), [a, b])
  penalties.blame(A, 'missing')
  assert.deepEqual(inOrder(set), [b, a])
  penalties.blame(B, 'failed')
  assert.deepEqual(inOrder(set), [a, b])
})

test('other processes see it, no address stands in the file, and a damaged file counts as nothing known', async (t) => {
  const path = join(await makeTempFolder(t), 'mirrors.json')
  const clock = fixedClock()
  filePenalties(path, clock).blame(A, 'failed')
  assert.equal(filePenalties(path, clock).weightOf(A), 2)
  assert.doesNotMatch(await readFile(path, 'utf8'), /example|ada|secret/)
  for (const text of ['', '[', '[]', 'null', '{"x":{"weight":-1,"at":"y"}}']) {
    await writeFile(path, text)
    assert.equal(filePenalties(path, clock).weightOf(A), 0)
    filePenalties(path, clock).blame(A, 'failed')
    assert.equal(filePenalties(path, clock).weightOf(A), 2)
  }
  filePenalties('/nowhere/at/all', clock).blame(A, 'failed')
})
