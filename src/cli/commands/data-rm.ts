import { removeData } from '../../operations/data-disks.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '<disk...>',
  summary: 'Remove data disks of machines that are gone, for good.',
  description: 'DISK is MACHINE/DATA as vmpkg data list shows it, or MACHINE for all of one.',
  options: [],
  examples: ['vmpkg data rm browser/home', 'vmpkg data rm browser'],
  async run({ args, io }) {
    const workspace = await io.workspace({ write: true })
    if (!(await io.confirm(`Remove the data of ${args.join(', ')}, for good?`))) return 1
    const removed = (await removeData(workspace, args)).map(({ name, data }) => `${name}/${data}`)
    if (io.json) io.printJson('data-rm', { removed })
    else for (const one of removed) io.print(`Removed ${one}`)
    return 0
  },
}
