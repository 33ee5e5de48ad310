import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseListing } from '../../src/upstream/listing.ts'

const page = (...links: readonly string[]): string => links.map((one) => `<a href="${one}">${one}</a>`).join('\n')

test('parseListing finds versions in the links of a folder, oldest first', () => {
  assert.deepEqual(parseListing(page('../', 'v3.9/', 'v3.21/', 'v3.10/', 'edge/', 'v3.9/'), 'v(3\\.\\d+)/'), [
    '3.9',
    '3.10',
    '3.21',
  ])
})

test('parseListing takes whole links only, and no text around them', () => {
  assert.deepEqual(parseListing('href v3.9/ <a href="https://x/v3.9/"> <a href=v3.9/>', 'v(3\\.\\d+)/'), [])
})

test('parseListing is bounded', () => {
  assert.throws(() => parseListing('x'.repeat(5 * 2 ** 20), '(x)'), { code: 'UPSTREAM_INVALID' })
  assert.throws(() => parseListing(page(...Array.from({ length: 20_001 }, () => 'a')), '(a)'), {
    code: 'UPSTREAM_INVALID',
  })
})
