import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatBytes, formatTable } from '../../src/cli/table.ts'

const HEADER = ['NAME', 'STATE', 'NOTE']
const ROWS = [
  ['router-uni', 'running', ''],
  ['a', 'shutoff', 'a rather long remark that does not fit'],
]

test('on a terminal columns are aligned and no line is wider than it', () => {
  assert.deepEqual(formatTable(HEADER, ROWS, 40), [
    'NAME        STATE    NOTE',
    'router-uni  running',
    'a           shutoff  a rather long rema…',
  ])
})

test('sentences in the last column go on below where they are asked for whole', () => {
  assert.deepEqual(formatTable(HEADER, ROWS, 45, 'whole'), [
    'NAME        STATE    NOTE',
    'router-uni  running',
    'a           shutoff  a rather long remark',
    '                     that does not fit',
  ])
  assert.equal(formatTable(HEADER, ROWS, 40, 'whole').at(-1), 'a           shutoff  a rather long rema…')
  assert.equal(formatTable(HEADER, ROWS, undefined, 'whole').at(-1), ROWS[1]?.join('\t'))
})

test('piped, rows are tab-separated without a header, whole, one a line', () => {
  assert.deepEqual(formatTable(HEADER, [['a', 'tab\there', 'line\nend']], undefined), ['a\ttab here\tline end'])
  assert.deepEqual(formatTable(HEADER, [], undefined), [])
})

test('no line is ever wider than the terminal, and piped rows keep their number of cells', () => {
  const rows = fc.array(fc.array(fc.string(), { minLength: 3, maxLength: 3 }), { maxLength: 5 })
  fc.assert(
    fc.property(rows, fc.integer({ min: 2, max: 200 }), (cells, columns) => {
      const lines = [...formatTable(HEADER, cells, columns), ...formatTable(HEADER, cells, columns, 'whole')]
      for (const line of lines) {
        assert.ok(line.length <= columns)
        assert.doesNotMatch(line, /[\n\t]/)
      }
      for (const line of formatTable(HEADER, cells, undefined)) assert.equal(line.split('\t').length, 3)
    }),
  )
})

test('sizes are in binary units with one decimal', () => {
  const sizes = [0, 1023, 1024, 1536, 35_127_296, 1024 ** 3, 5 * 1024 ** 4, 3000 * 1024 ** 4]
  assert.deepEqual(sizes.map(formatBytes), [
    '0 B',
    '1023 B',
    '1.0 KiB',
    '1.5 KiB',
    '33.5 MiB',
    '1.0 GiB',
    '5.0 TiB',
    '3000.0 TiB',
  ])
})
