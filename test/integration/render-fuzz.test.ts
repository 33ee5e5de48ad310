/** A hundredth of `npm run soak -- render`, whose figures are in docs/soak.md. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RenderFuzz } from '../support/render-fuzz.ts'

const CASES = 10_000
const BATCH = 2000

test('hostile parameters become text, as libxml2, a shell and jq read it, or are refused', (t) => {
  const fuzz = new RenderFuzz()
  for (let at = 0; at < CASES; at += BATCH) {
    for (let number = at; number < at + BATCH; number += 1) fuzz.tryOne(7, number)
    fuzz.check(0.02)
  }
  const { domains, networks, guestFiles, schemaChecked } = fuzz.figures
  t.diagnostic(JSON.stringify(fuzz.figures))
  for (const count of [domains, networks, guestFiles]) assert.ok(count > CASES / 20)
  assert.ok(schemaChecked > 100)
})
