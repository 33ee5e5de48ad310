import { pruneSnapshots } from '../../operations/snapshot-schedule.ts'
import type { CommandSpec } from '../command.ts'
import { RETENTION_OPTIONS, retentionOf } from '../snapshot-options.ts'

export const command: CommandSpec = {
  args: '[machine]',
  summary: 'Delete the scheduled snapshots that their retention no longer keeps.',
  description:
    'Only those that a schedule made are ever deleted. Without --keep each machine\u2019s\n' +
    'schedule says what stays; the supervisor does the same after each snapshot.',
  options: [...RETENTION_OPTIONS, { flags: '--dry-run', summary: 'say which would go, change nothing' }],
  examples: ['vmpkg snapshot prune', 'vmpkg snapshot prune demo --keep 3 --dry-run'],
  async run({ args: [machine], options, io }) {
    const workspace = await io.workspace({ write: !io.dryRun })
    const retention = retentionOf(options)
    if (retention !== undefined && !io.dryRun && !(await io.confirm('Delete what that does not keep?'))) return 1
    const pruned = await pruneSnapshots(workspace, { machine, retention, dryRun: io.dryRun })
    if (io.json) io.printJson('snapshot-prune', { dryRun: io.dryRun, machines: pruned })
    else if (pruned.length === 0) io.note('There is nothing to delete.')
    else
      for (const one of pruned)
        io.print(`${io.dryRun ? 'Would delete' : 'Deleted'} ${one.deleted.join(', ')} of ${one.machine}`)
    return 0
  },
}
