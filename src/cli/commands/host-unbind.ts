import { planHostUnbind, unbindHost } from '../../operations/host-bind.ts'
import { type CommandSpec, optionText } from '../command.ts'
import { TARGET_OPTION } from '../host-options.ts'

export const command: CommandSpec = {
  args: '[device...]',
  summary: 'Give PCI devices back to the drivers they had.',
  description:
    'Only those that host bind took; all of them where none is named. Refused while a running guest has one.',
  options: [TARGET_OPTION, { flags: '--dry-run', summary: 'print the writes and stop' }],
  examples: ['vmpkg host unbind 0000:03:00.0', 'vmpkg host unbind'],
  async run({ args, options, io }) {
    const workspace = await io.workspace({ write: true })
    const plan = await planHostUnbind(workspace, { target: optionText(options, 'target'), names: args })
    if (io.dryRun) {
      if (io.json) io.printJson('host-unbind-plan', { devices: plan.devices, writes: plan.writes })
      else for (const { path, text } of plan.writes) io.print(`/sys/${path} < ${text.trim() === '' ? '(empty)' : text}`)
      return 0
    }
    const unbound = await unbindHost(plan)
    if (io.json) io.printJson('host-unbind', { changed: unbound.length > 0, unbound })
    else if (unbound.length === 0) io.print('Nothing is bound by vmpkg.')
    else for (const address of unbound) io.print(`returned ${address}`)
    return 0
  },
}
