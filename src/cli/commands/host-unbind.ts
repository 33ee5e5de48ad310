import { unbindHost } from '../../operations/host-bind.ts'
import { type CommandSpec, optionText } from '../command.ts'
import { TARGET_OPTION } from '../host-options.ts'

export const command: CommandSpec = {
  args: '[device...]',
  summary: 'Give PCI devices back to the drivers they had.',
  description:
    'Only those that host bind took; all of them where none is named. Refused while a running guest has one.',
  options: [TARGET_OPTION],
  examples: ['vmpkg host unbind 0000:03:00.0', 'vmpkg host unbind'],
  async run({ args, options, io }) {
    const workspace = await io.workspace({ write: true })
    const unbound = await unbindHost(workspace, { target: optionText(options, 'target'), names: args })
    if (io.json) io.printJson('host-unbind', { changed: unbound.length > 0, unbound })
    else if (unbound.length === 0) io.print('Nothing is bound by vmpkg.')
    else for (const address of unbound) io.print(`returned ${address}`)
    return 0
  },
}
