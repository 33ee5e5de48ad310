import { stopHost } from '../../operations/host-private.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '[name]',
  summary: 'Stop a private host and every machine in it. Definitions and disks stay for the next start.',
  options: [{ flags: '--purge', summary: 'remove its folder too' }],
  examples: ['vmpkg host private stop', 'vmpkg host private stop lab --purge'],
  async run({ args, options, io }) {
    const { name, changed } = await stopHost(await io.workspace(), { name: args[0], purge: options['purge'] === true })
    if (io.json) io.printJson('private-host-stopped', { name, changed })
    else io.print(changed ? `Stopped private host ${name}` : `Private host ${name} is not running`)
    return 0
  },
}
