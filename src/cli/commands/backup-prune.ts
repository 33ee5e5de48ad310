import { VmpkgError } from '../../errors.ts'
import { pruneBackups } from '../../operations/backup-prune.ts'
import { type CommandSpec, optionNumber } from '../command.ts'
import { countOf, formatBytes } from '../table.ts'

export const command: CommandSpec = {
  args: '<folder>',
  summary: 'Remove all but the newest backups of each machine, and what only they needed.',
  description: 'Those that stay need nothing of those that go, also where they are incremental.',
  options: [
    { flags: '--keep <count>', summary: 'how many of each machine stay' },
    { flags: '--dry-run', summary: 'print what would go' },
  ],
  examples: ['vmpkg backup prune /srv/backups --keep 7', 'vmpkg backup prune /srv/backups/web --keep 2 --dry-run'],
  async run({ args: [path = ''], options, io }) {
    const keep = optionNumber(options, 'keep', 1)
    if (keep === undefined) {
      throw new VmpkgError('USAGE', 'How many are to stay?', { hint: `vmpkg backup prune ${path} --keep 7` })
    }
    const workspace = await io.workspace()
    const plan = await pruneBackups(workspace, { path, keep, dryRun: true })
    const count = countOf(plan.removed.length, 'backup')
    const isAgreed =
      io.dryRun || plan.removed.length === 0 || (await io.confirm(`Remove ${count} from ${path}, for good?`))
    if (!isAgreed) return 1
    const result = io.dryRun ? plan : await pruneBackups(workspace, { path, keep, dryRun: false })
    if (io.json) io.printJson('backup-prune', { dryRun: io.dryRun, ...result })
    else {
      const verb = io.dryRun ? 'Would remove' : 'Removed'
      for (const { machine, point } of result.removed) io.print(`${verb} ${machine} ${point}`)
      io.print(
        `${io.dryRun ? 'Would free' : 'Freed'} ${formatBytes(result.freedBytes)}, ${countOf(result.kept.length, 'backup')} left`,
      )
    }
    return 0
  },
}
