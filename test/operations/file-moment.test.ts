import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PointInTime } from '../../src/domain/points.ts'
import { choosePoint, parseMoment } from '../../src/operations/file-moment.ts'

const now = new Date('2026-05-10T12:00:00Z')
const point = (name: string, time: string): PointInTime => ({
  name,
  kind: 'snapshot',
  time: new Date(time),
  file: '/x',
})
const points = [
  point('old', '2026-05-01T00:00:00Z'),
  point('same', '2026-05-05T00:00:00Z'),
  point('same', '2026-05-06T00:00:00Z'),
  point('2h', '2026-05-10T09:00:00Z'),
]

test('a name is taken before a time, the latest of one name, and nothing means the newest', () => {
  assert.equal(choosePoint(points, 'same', now), points[2])
  assert.equal(choosePoint(points, '2h', now), points[3])
  assert.equal(choosePoint(points, undefined, now), points[3])
})

test('a time means the last point that is not after it', () => {
  assert.equal(choosePoint(points, '2026-05-05T00:00:00Z', now), points[1])
  assert.equal(choosePoint(points, '2026-05-04T23:59:59Z', now), points[0])
  assert.equal(choosePoint(points, '4d', now), points[2])
  assert.throws(() => choosePoint(points, '2026-04-30T00:00:00Z', now), { code: 'USAGE', message: /first point/ })
  assert.throws(() => choosePoint(points, 'nonsense', now), { code: 'USAGE', message: /nonsense/ })
  assert.throws(() => choosePoint(points, 'now', now), { code: 'USAGE', hint: /--live/ })
})

test('times are dates, local unless they have a zone, or how long ago', () => {
  const shown = (text: string): string | undefined => parseMoment(text, now)?.toISOString()
  assert.equal(shown('90m'), '2026-05-10T10:30:00.000Z')
  assert.equal(shown('1w'), '2026-05-03T12:00:00.000Z')
  assert.equal(shown('2026-05-01T10:00+02:00'), '2026-05-01T08:00:00.000Z')
  assert.equal(parseMoment('2026-05-01', now)?.getTime(), new Date(2026, 4, 1, 23, 59, 59, 999).getTime())
  assert.equal(parseMoment('2026-05-01 08:00', now)?.getTime(), new Date(2026, 4, 1, 8).getTime())
  for (const wrong of ['', '2x', '2026-13-01', '2026-05-01T25:00Z', 'yesterday', '1e9'])
    assert.equal(shown(wrong), undefined)
})
