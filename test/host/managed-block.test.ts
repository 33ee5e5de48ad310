import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { formatBlock, insertBlock, withdrawBlock } from '../../src/host/managed-block.ts'

const line = fc.string({ unit: 'grapheme-ascii', maxLength: 20 })
const text = fc.array(line, { maxLength: 6 }).map((lines) => lines.join('\n'))
const ours = ['options vfio-pci ids=8086:10d3', '', 'softdep nouveau pre: vfio-pci']

describe('withdrawBlock', () => {
  test('takes out exactly what insertBlock put in, whatever the file and its last line', () => {
    fc.assert(
      fc.property(text, (base) => {
        const withdrawal = withdrawBlock(insertBlock(base, ours), ours, base)
        assert.deepEqual(withdrawal, { state: 'taken', text: base })
      }),
    )
  })

  test('leaves what somebody wrote before and after', () => {
    fc.assert(
      fc.property(text, text, (before, after) => {
        const edited = `${before}\n${formatBlock(ours)}${after}`
        assert.deepEqual(withdrawBlock(edited, ours, 'something else\n'), {
          state: 'taken',
          text: `${before}\n${after}`,
        })
      }),
    )
  })

  test('tells lines that were changed from lines that are gone', () => {
    const whole = insertBlock('a\n', ours)
    assert.equal(withdrawBlock(whole.replace('10d3', '10d4'), ours, 'a\n').state, 'changed')
    assert.equal(withdrawBlock(whole.replace('# END vmpkg\n', ''), ours, 'a\n').state, 'changed')
    assert.equal(withdrawBlock(whole + formatBlock(['x']), ours, 'a\n').state, 'changed')
    assert.equal(withdrawBlock('a\n', ours, 'a\n').state, 'gone')
  })
})
