import { snapshotRegistry } from '../../operations/repo-snapshot.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '<registry>',
  summary: 'Keep the registry as it is now for good; repo gc removes nothing that a snapshot names.',
  options: [{ flags: '--dry-run', summary: 'show what would happen, change nothing' }],
  examples: ['vmpkg repo snapshot ./registry'],
  async run({ args, io }) {
    const [registry = ''] = args
    const made = await snapshotRegistry(await io.workspace(), { registry, dryRun: io.dryRun })
    if (io.json) io.printJson('repo-snapshot', { ...made })
    else {
      const verb = io.dryRun ? 'Would make' : made.isNew ? 'Made' : 'There is already'
      io.print(`${verb} ${made.path}: version ${made.version}, ${made.packages} package versions`)
      io.print(`Its users say: vmpkg source add NAME URL --expiry '${made.policy}'`)
    }
    return 0
  },
}
