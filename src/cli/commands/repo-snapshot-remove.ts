import { removeSnapshot } from '../../operations/repo-snapshot.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '<registry> <snapshot>',
  summary: 'Let go of a snapshot. The files that only it named go with the next repo gc.',
  options: [{ flags: '--dry-run', summary: 'show what would happen, change nothing' }],
  examples: ['vmpkg repo snapshot remove ./registry 20261121T000000Z'],
  async run({ args, io }) {
    const [registry = '', snapshot = ''] = args
    const removed = await removeSnapshot(await io.workspace(), { registry, snapshot, dryRun: io.dryRun })
    if (io.json) io.printJson('repo-snapshot', { ...removed })
    else io.print(`${io.dryRun ? 'Would remove' : 'Removed'} ${removed.path}`)
    return 0
  },
}
