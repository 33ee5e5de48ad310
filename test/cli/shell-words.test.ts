import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatCommand } from '../../src/cli/shell-words.ts'

test('a command line has the same arguments and options, and no more', () => {
  const specs = [{ flags: '--no-start', summary: '' }]
  const options = { name: 'one', set: ['a=b c'], start: true, dryRun: true, wait: undefined, quiet: false }
  assert.equal(formatCommand('clone', ['app'], options, specs), "vmpkg clone app --name one --set 'a=b c' --dry-run")
  assert.equal(formatCommand('clone', ['app'], { start: false }, specs), 'vmpkg clone app --no-start')
})

test('a shell reads every word as it was', () => {
  const word = fc.string({ unit: 'binary', maxLength: 12 }).filter((text) => !text.includes('\0'))
  fc.assert(
    fc.property(fc.array(word, { maxLength: 100 }), (words) => {
      const line = formatCommand('x', words, {}).replace('vmpkg x', 'printf "%s\\0" .')
      const read = execFileSync('sh', ['-c', line], { encoding: 'utf8' }).split('\0')
      assert.deepEqual(
        read.slice(1, -1),
        words.map((one) => Buffer.from(one).toString()),
      )
    }),
    { numRuns: 8 },
  )
})
