import { listSchedules } from '../../operations/snapshot-schedule.ts'
import type { CommandSpec } from '../command.ts'
import { formatLocal } from '../file-options.ts'
import { formatEvery, formatRetention } from '../snapshot-options.ts'

export const command: CommandSpec = {
  args: '',
  summary: 'List the machines whose snapshots are taken by schedule.',
  options: [],
  examples: ['vmpkg snapshot schedule list', 'vmpkg snapshot schedule list --json'],
  async run({ io }) {
    const rows = await listSchedules(await (await io.workspace()).connect())
    if (io.json) {
      const schedules = rows.map(({ last, next, ...row }) => ({
        ...row,
        last: last?.toISOString() ?? null,
        next: last === undefined ? null : next.toISOString(),
      }))
      io.printJson('snapshot-schedule-list', { schedules })
    } else if (rows.length === 0) io.note('No machine has a schedule.')
    else {
      io.printTable(
        ['MACHINE', 'EVERY', 'KEEP', 'THERE', 'LAST', 'NEXT'],
        rows.map((row) => [
          row.machine,
          formatEvery(row.everySeconds),
          formatRetention(row),
          String(row.count),
          row.last === undefined ? '-' : formatLocal(row.last),
          row.last === undefined ? 'now' : formatLocal(row.next),
        ]),
      )
    }
    return 0
  },
}
