import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { isVmpkgError } from '../../src/errors.ts'
import { finding, PREFLIGHT_CLASSES, refuseFindings } from '../../src/host/preflight-finding.ts'

const DOC = join(import.meta.dirname, '..', '..', 'docs', 'preflight.md')
const missing = finding('disk-missing', 'disk vda', '/a does not exist', 'Put it back.')
const network = finding('network-missing', 'interface', 'There is no libvirt network lan', 'Install a router.')

test('one finding is refused in its own words, with its own code and fix', () => {
  assert.throws(
    () => refuseFindings('web', [network]),
    (error) =>
      isVmpkgError(error, 'NETWORK_UNAVAILABLE') &&
      error.message === 'web would not start here: interface: There is no libvirt network lan' &&
      error.hint === 'Install a router.',
  )
})

test('several findings are refused at once; each keeps its code and fix', () => {
  assert.throws(
    () => refuseFindings('web', [missing, network]),
    (error) => {
      assert.ok(isVmpkgError(error, 'PREFLIGHT_FAILED'))
      assert.equal(error.message, 'web would not start here: 2 things stand in its way')
      assert.deepEqual(error.details['findings'], [
        { ...missing, code: 'PREFLIGHT_FAILED' },
        { ...network, code: 'NETWORK_UNAVAILABLE' },
      ])
      return true
    },
  )
})

test('nothing found is nothing refused', () => {
  refuseFindings('web', [])
})

/** The table is made from the code: `UPDATE_GOLDEN=1 node --test test/host/preflight-finding.test.ts`. */
test('docs/preflight.md has one row per class', () => {
  const text = readFileSync(DOC, 'utf8')
  const rows = Object.entries(PREFLIGHT_CLASSES).map(
    ([name, { code, meaning }]) => `| \`${name}\` | \`${code}\` | ${meaning} |`,
  )
  const table = ['| class | code | what is wrong |', '|---|---|---|', ...rows].join('\n')
  const expected = text.replace(/\| class \| code [^]*?\n(?=\n)/, () => `${table}\n`)
  if (process.env['UPDATE_GOLDEN'] !== undefined) writeFileSync(DOC, expected)
  assert.equal(text, expected)
})
