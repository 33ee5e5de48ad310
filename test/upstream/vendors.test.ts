import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseVendors } from '../../src/upstream/vendors.ts'

const text = readFileSync(join(import.meta.dirname, '..', '..', 'keys', 'vendors.yaml'), 'utf8')

test('parseVendors reads what ships', () => {
  assert.deepEqual([...parseVendors(text).keys()], ['debian', 'ubuntu', 'alpine', 'fedora'])
})

test('parseVendors refuses unknown fields, plain http, short fingerprints and paths that leave a base', () => {
  for (const [from, to] of [
    ['title: Debian', 'title: Debian\n  trust: all'],
    ['https://releases.ubuntu.com/', 'http://releases.ubuntu.com/'],
    ['DF9B9C49EAA9298432589D76DA87E80D6294BE9B', '6294BE9B'],
    ['{version}/ubuntu-{version}-desktop', '../ubuntu-{version}-desktop'],
    ['kind: clear-signed', 'kind: trusted'],
    ['vendors: 1', 'vendors: 2'],
    ["versions: ['41-1.4', '42-1.1', '43-1.6', '44-1.7']", "versions: ['44-1.7']"],
  ] as const) {
    assert.ok(text.includes(from), from)
    assert.throws(() => parseVendors(text.replace(from, to)), { code: 'UPSTREAM_INVALID' }, to)
  }
  for (const wrong of ['', '[', 'a: &x 1\nb: *x', 'vendors: 1\nvendors: 1']) {
    assert.throws(() => parseVendors(wrong), { code: 'UPSTREAM_INVALID' })
  }
})
