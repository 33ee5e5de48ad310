/** What the fuzzer found, and must not find again. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { setImmediate as tick } from 'node:timers/promises'
import { parseSource } from '../../src/sources/source.ts'
import { parseChecksumFile } from '../../src/upstream/checksum-file.ts'
import { parseVendors } from '../../src/upstream/vendors.ts'

test('YAML that makes the library warn prints nothing: its warnings quote the hostile text (A14)', async () => {
  const warnings: string[] = []
  const listener = (warning: Error): void => void warnings.push(warning.message)
  process.on('warning', listener)
  const hostile = 'vendors: 1\nx: &a 1\ny:\n  *a: \u001b[2J\n'
  assert.throws(() => parseVendors(hostile), { code: 'UPSTREAM_INVALID' })
  assert.throws(() => parseSource('a', hostile), { code: 'SOURCE_INVALID' })
  const marker = once(process, 'warning')
  process.emitWarning('marker')
  await marker
  await tick()
  process.off('warning', listener)
  assert.deepEqual(warnings, ['marker'])
})

test('a name that leaves its folder does not hide behind a leading ./', () => {
  assert.throws(() => parseChecksumFile(`${'a'.repeat(64)}  ./../x\n`, 'it'), { code: 'CHECKSUMS_INVALID' })
})
