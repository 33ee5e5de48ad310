import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { formatBar, formatSeconds, formatTransfer, Progress, SmoothedSpeed } from '../../src/cli/progress.ts'

const MIB = 1024 * 1024

describe('formatTransfer', () => {
  for (const [columns, line] of [
    [80, 'app disk  37% ███████▌             3.0 MiB/8.0 MiB 512.0 KiB/s 10 s left'],
    [64, 'app disk  37% ████▏       3.0 MiB/8.0 MiB 512.0 KiB/s 10 s left'],
    [50, 'app disk  37% ████▉         512.0 KiB/s 10 s left'],
    [36, 'app disk  37% ████▏       10 s left'],
    [28, 'app disk  37% ████▉        '],
    [16, 'app disk  37%'],
    [10, 'app ~  37%'],
  ] as const) {
    test(`fits ${columns} columns`, () => {
      assert.equal(formatTransfer('app disk', 3 * MIB, 8 * MIB, MIB / 2, { columns, isUnicode: true }), line)
    })
  }

  test('has an ASCII form, and one without a size', () => {
    const style = { columns: 60, isUnicode: false }
    assert.equal(formatTransfer('a', MIB, 2 * MIB, 0, style), 'a  50% [#########.........] 1.0 MiB/2.0 MiB')
    assert.equal(formatTransfer('a', MIB, undefined, MIB, style), 'a 1.0 MiB 1.0 MiB/s')
  })

  test('is never wider than the terminal, whatever the numbers', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 100 }),
        fc.nat(),
        fc.option(fc.nat()),
        fc.nat(),
        fc.integer({ min: 11, max: 200 }),
        fc.boolean(),
        (subject, received, size, speed, columns, isUnicode) => {
          const line = formatTransfer(subject, received, size ?? undefined, speed, { columns, isUnicode })
          return line.length < columns
        },
      ),
    )
  })
})

test('a bar is empty at nothing, full at all, and as wide as asked for', () => {
  assert.equal(formatBar(0, 10, false), '[........]')
  assert.equal(formatBar(1, 10, false), '[########]')
  assert.equal(formatBar(0, 8, true), ' '.repeat(8))
  assert.equal(formatBar(1, 8, true), '█'.repeat(8))
  for (let share = 0; share <= 1; share += 0.01) assert.equal(formatBar(share, 13, true).length, 13)
})

test('times are told in the two largest units', () => {
  assert.deepEqual([0.2, 59.1, 61, 3600, 90_000].map(formatSeconds), [
    '1 s',
    '1 min 0 s',
    '1 min 1 s',
    '1 h 0 min',
    'days',
  ])
})

test('speed follows a change within some seconds, and not at once', () => {
  const speed = new SmoothedSpeed(0)
  for (let now = 1000; now <= 10_000; now += 1000) speed.add(1000, now)
  assert.equal(Math.round(speed.perSecond), 1000)
  speed.add(5000, 11_000)
  assert.ok(speed.perSecond > 1500 && speed.perSecond < 3000, String(speed.perSecond))
  for (let now = 12_000; now <= 30_000; now += 1000) speed.add(5000, now)
  assert.ok(speed.perSecond > 4900)
})

test('nothing is shown where nothing runs', () => {
  const progress = new Progress(() => 0)
  progress.plan(3, 100)
  progress.advance('unknown', 50)
  assert.deepEqual(progress.lines({ columns: 80, isUnicode: true }), [])
})
