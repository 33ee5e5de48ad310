import { collectEnded, collectGarbage } from '../../operations/gc.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '',
  summary: 'Remove what nobody uses: leftovers of dead commands, files of vanished clones, images no package needs.',
  options: [
    { flags: '--machines', summary: 'only ephemeral machines whose command is gone, and what such machines left' },
    { flags: '--dry-run', summary: 'print what would go' },
  ],
  examples: ['vmpkg gc', 'vmpkg gc --machines', 'vmpkg gc --dry-run'],
  async run({ options, io }) {
    const { dryRun } = io
    const workspace = await io.workspace({ write: !dryRun, relief: !dryRun })
    const isBrief = options['machines'] === true
    const removed = await (isBrief ? collectEnded(workspace, dryRun) : collectGarbage(workspace, { dryRun }))
    if (io.json) io.printJson('gc', { dryRun, removed })
    else if (removed.length === 0) io.print('Nothing to remove')
    else for (const { what, subject } of removed) io.print(`${dryRun ? 'Would remove' : 'Removed'} ${what} ${subject}`)
    return 0
  },
}
