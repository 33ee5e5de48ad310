import { renameMachine } from '../../operations/rename.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '<machine> <name>',
  summary: 'Give a stopped clone another name.',
  description:
    'Its guest takes the name at its next start. Its address, files and forwarded ports\n' +
    'stay: they go by its card and its UUID.',
  options: [{ flags: '--dry-run', summary: 'only look whether it can be' }],
  examples: ['vmpkg rename os-debian-1 web'],
  async run({ args, io }) {
    const [from = '', to = ''] = args
    const workspace = await io.workspace({ write: !io.dryRun })
    const result = await renameMachine(workspace, { from, to, dryRun: io.dryRun })
    if (io.json) io.printJson('rename', { dryRun: io.dryRun, ...result })
    else if (!result.changed) io.print(`${from} has that name already`)
    else io.print(`${io.dryRun ? 'Would rename' : 'Renamed'} ${from} to ${result.name}`)
    return 0
  },
}
