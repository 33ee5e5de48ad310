import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { choosePruned, isScheduled, readSchedule, scheduledName } from '../../src/domain/snapshot-schedule.ts'

const at = (text: string): { name: string; time: Date } => {
  const time = new Date(text)
  return { name: scheduledName(time), time }
}
const RULE = { keep: 1, keepDaily: 0, keepWeekly: 0, keepMonthly: 0 }

describe('retention of scheduled snapshots', () => {
  test('keeps the newest, and the last one of each day, week and month that was asked for', () => {
    const all = [
      '2026-03-01T10:00:00Z',
      '2026-03-30T10:00:00Z',
      '2026-03-31T08:00:00Z',
      '2026-03-31T20:00:00Z',
      '2026-04-01T09:00:00Z',
    ]
    const snapshots = all.map(at)
    const left = (rule: Partial<typeof RULE>): readonly string[] => {
      const gone = new Set(choosePruned(snapshots, { ...RULE, ...rule }))
      return snapshots.filter((one) => !gone.has(one)).map(({ time }) => time.toISOString().slice(5, 13))
    }
    assert.deepEqual(left({}), ['04-01T09'])
    assert.deepEqual(left({ keep: 2 }), ['03-31T20', '04-01T09'])
    assert.deepEqual(left({ keepDaily: 3 }), ['03-30T10', '03-31T20', '04-01T09'])
    assert.deepEqual(left({ keepWeekly: 2 }), ['03-01T10', '04-01T09'])
    assert.deepEqual(left({ keepMonthly: 2 }), ['03-31T20', '04-01T09'])
  })

  test('never lets one go that a person made, nor more than are too many, and is settled by one run', () => {
    const times = fc.array(fc.date({ min: new Date('2025-01-01'), max: new Date('2026-12-31'), noInvalidDate: true }), {
      maxLength: 40,
    })
    const few = fc.nat({ max: 5 })
    const rules = fc.record({ keep: fc.integer({ min: 1, max: 5 }), keepDaily: few, keepWeekly: few, keepMonthly: few })
    fc.assert(
      fc.property(times, rules, (dates, rule) => {
        const snapshots = dates.flatMap((time, i) => [
          { name: scheduledName(time), time },
          { name: `mine-${i}`, time },
        ])
        const gone = new Set(choosePruned(snapshots, rule))
        const left = snapshots.filter((one) => !gone.has(one))
        assert.ok([...gone].every(isScheduled))
        assert.equal(left.length - dates.length, dates.length - gone.size)
        assert.ok(left.filter(isScheduled).length >= Math.min(rule.keep, dates.length))
        assert.ok(left.filter(isScheduled).length <= rule.keep + rule.keepDaily + rule.keepWeekly + rule.keepMonthly)
        assert.deepEqual(choosePruned(left, rule), [])
      }),
    )
  })

  test('a schedule that somebody edited so that it would delete all, or never rest, is none', () => {
    const domain = (attributes: string): string =>
      `<domain><metadata><s:schedule xmlns:s="urn:vmpkg:snapshots:1" ${attributes}/></metadata></domain>`
    assert.equal(readSchedule(domain('every="3600" keep="24" daily="7"'))?.keepDaily, 7)
    assert.equal(readSchedule(domain('every="1" keep="24"')), undefined)
    assert.equal(readSchedule(domain('every="3600" keep="0"')), undefined)
    assert.equal(readSchedule(domain('every="3600" keep="-1"')), undefined)
    assert.equal(readSchedule('<domain/>'), undefined)
  })
})
