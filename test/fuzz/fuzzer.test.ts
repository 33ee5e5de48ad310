/** The fuzzer for a moment in every run of the tests; the long run is `npm run fuzz`. docs/fuzz.md has its figures. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CoverageMeter } from './coverage.ts'
import { fuzzTarget, problemOf } from './fuzzer.ts'
import { makeTargets } from './targets.ts'

const targets = await makeTargets()
/** Milliseconds for each target: some 20 s in all. */
const SHARE_MS = 800

describe('parsers of untrusted input', () => {
  const meter = new CoverageMeter()
  for (const [index, target] of targets.entries()) {
    test(`${target.name}: any bytes are accepted or refused by a code`, async () => {
      const { findings, runs } = await fuzzTarget(target, { meter, seed: index + 1, until: Date.now() + SHARE_MS })
      assert.deepEqual(
        findings.map(({ problem, input }) => `${problem}\n${Buffer.from(input).toString('base64').slice(0, 4000)}`),
        [],
      )
      assert.ok(runs > 0)
    })
  }
})

describe('the fuzzer itself', () => {
  test('every seed but those made to be refused is accepted', async () => {
    for (const { name, seeds, run } of targets) {
      const [first = Buffer.alloc(0)] = seeds
      assert.equal(await problemOf({ run }, first), undefined, name)
    }
  })

  test('finds a crash that hides behind two bytes', async () => {
    const meter = new CoverageMeter()
    const run = (input: Uint8Array): void => {
      if (input[0] === 0x7f && input[1] === 0x80) throw new TypeError('found')
    }
    const target = { name: 'it', seeds: [Buffer.from('\x7fx')], words: ['\x80'], run }
    const { findings } = await fuzzTarget(target, { meter, seed: 1, until: Date.now() + 20_000 })
    meter.close()
    assert.match(findings[0]?.problem ?? '', /found/)
  })
})
