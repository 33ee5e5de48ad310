import { removeSchedule } from '../../operations/snapshot-schedule.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '<machine>',
  summary: 'Take no snapshots of a machine by schedule any more. Those that are there stay.',
  options: [],
  examples: ['vmpkg snapshot schedule remove demo'],
  async run({ args: [machine = ''], io }) {
    const changed = await removeSchedule(await io.workspace({ write: true }), machine)
    if (io.json) io.printJson('snapshot-schedule-remove', { machine, changed })
    else io.print(changed ? `${machine} has no schedule any more` : `${machine} has no schedule`)
    return 0
  },
}
