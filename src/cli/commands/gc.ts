import { collectGarbage } from '../../operations/gc.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '',
  summary: 'Remove what nobody uses: leftovers of dead commands, files of vanished clones, images no package needs.',
  options: [{ flags: '--dry-run', summary: 'print what would go' }],
  examples: ['vmpkg gc', 'vmpkg gc --dry-run'],
  async run({ io }) {
    const removed = await collectGarbage(await io.workspace({ write: !io.dryRun, relief: !io.dryRun }), {
      dryRun: io.dryRun,
    })
    if (io.json) io.printJson('gc', { dryRun: io.dryRun, removed })
    else if (removed.length === 0) io.print('Nothing to remove')
    else
      for (const { what, subject } of removed) io.print(`${io.dryRun ? 'Would remove' : 'Removed'} ${what} ${subject}`)
    return 0
  },
}
