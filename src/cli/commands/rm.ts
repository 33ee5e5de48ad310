import { removeClones } from '../../operations/rm.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '<machine...>',
  summary: 'Remove clones with their disks. Routers are removed with their package.',
  options: [{ flags: '-f, --force', summary: 'also when the machine is running' }],
  examples: ['vmpkg rm app-console-1', 'vmpkg rm --force demo'],
  async run({ args, options, io }) {
    const workspace = await io.workspace({ write: true })
    if (!(await io.confirm(`Remove ${args.join(', ')} and the disks of it?`))) return 1
    const removed = await removeClones(workspace, { names: args, force: options['force'] === true })
    if (io.json) io.printJson('rm', { removed })
    else for (const name of removed) io.print(`Removed ${name}`)
    return 0
  },
}
