import { removeForwards } from '../../operations/port-forward.ts'
import { formatForward, parseForward } from '../../router/forward.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '<machine> [port...]',
  summary: 'Let ports lead to a machine no more: those named, or all. What runs by them is cut.',
  options: [{ flags: '--dry-run', summary: 'print what would be left, change nothing' }],
  examples: ['vmpkg port-forward remove web tcp/8443', 'vmpkg port-forward remove web'],
  async run({ args: [machine = '', ...ports], io }) {
    const workspace = await io.workspace({ write: !io.dryRun })
    const request = { machine, ports: ports.map(parseForward), dryRun: io.dryRun }
    const { changed, forwards } = await removeForwards(workspace, request)
    if (io.json) io.printJson('port-forward-remove', { dryRun: io.dryRun, changed, forwards })
    else {
      const left = forwards.map(formatForward).join(', ')
      io.print(left === '' ? `No port leads to ${machine}` : `To ${machine} lead ${left}`)
    }
    return 0
  },
}
