import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
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

test('each kind of fault has its weight', async (t) => {
  const path = join(await makeTempFolder(t), 'mirrors.json')
  for (const [fault, weight] of [
    ['wrong-bytes', 16],
    ['stalled', 4],
    ['failed', 2],
    ['missing', 1],
  ] as const) {
    const base = new URL(`https://${fault}.example/`)
    const penalties = filePenalties(path, fixedClock())
    penalties.blame(base, fault)
    assert.equal(penalties.weightOf(base), weight)
  }
})

test('a fault is forgiven below a half and not at it', async (t) => {
  const clock = fixedClock()
  const penalties = filePenalties(join(await makeTempFolder(t), 'mirrors.json'), clock)
  penalties.blame(A, 'missing')
  clock.advance(10 * MINUTE_MS)
  assert.equal(penalties.weightOf(A), 0.5)
  clock.advance(1)
  assert.equal(penalties.weightOf(A), 0)
})

test('the file is its owner’s, and holds the 200 worst mirrors under short names', async (t) => {
  const path = join(await makeTempFolder(t), 'mirrors.json')
  const clock = fixedClock()
  const penalties = filePenalties(path, clock)
  const umask = process.umask(0)
  t.after(() => process.umask(umask))
  penalties.blame(A, 'missing')
  assert.equal((await stat(path)).mode & 0o777, 0o600)
  for (let i = 0; i < 200; i++) penalties.blame(new URL(`https://m${i}.example/`), i % 2 === 0 ? 'failed' : 'stalled')
  const kept = JSON.parse(await readFile(path, 'utf8')) as Readonly<Record<string, { weight: number }>>
  assert.equal(Object.keys(kept).length, 200)
  assert.ok(Object.keys(kept).every((name) => /^[0-9a-f]{16}$/.test(name)))
  assert.equal(penalties.weightOf(A), 0, 'the lightest one went')
  const weights = Object.values(kept).map(({ weight }) => weight)
  assert.deepEqual(
    weights,
    weights.toSorted((a, b) => b - a),
  )
  clock.advance(60 * MINUTE_MS)
  penalties.blame(A, 'missing')
  assert.equal(Object.keys(JSON.parse(await readFile(path, 'utf8')) as object).length, 1, 'what is forgiven is dropped')
})

test('what is not as we write it counts as nothing, entry by entry', async (t) => {
  const path = join(await makeTempFolder(t), 'mirrors.json')
  const clock = fixedClock()
  filePenalties(path, clock).blame(A, 'failed')
  const [key = ''] = Object.keys(JSON.parse(await readFile(path, 'utf8')) as object)
  const at = clock.now().getTime()
  const weigh = async (entry: unknown): Promise<number> => {
    await writeFile(path, JSON.stringify({ [key]: entry, other: { weight: 3, at } }))
    return filePenalties(path, clock).weightOf(A)
  }
  assert.equal(await weigh({ weight: 3, at }), 3)
  assert.equal(await weigh({ weight: -3, at }), 0, 'no mirror is better than one in good standing')
  assert.equal(await weigh({ weight: 3, at: 0 }), 0)
  for (const entry of [null, 3, 'x', [], {}, { weight: '3', at }, { weight: 3, at: '0' }, { weight: 3, at: -1 }]) {
    assert.equal(await weigh(entry), 0, JSON.stringify(entry))
  }
  await writeFile(path, `{"${key}":{"weight":1e999,"at":${at}}}`)
  assert.equal(filePenalties(path, clock).weightOf(A), 0)
  for (const bad of [null, 3, 'x', []]) {
    await writeFile(path, JSON.stringify({ bad, [key]: { weight: 3, at } }))
    assert.equal(filePenalties(path, clock).weightOf(A), 3, 'a bad entry spoils no other')
  }
})
