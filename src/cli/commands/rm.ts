import { planRemoval, removeClones } from '../../operations/rm.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '<machine...>',
  summary: 'Remove clones with their disks. Routers are removed with their package.',
  description:
    'A machine may be a pattern of names: * stands for any text, ? for one character. Quote it for the shell.',
  options: [
    { flags: '-f, --force', summary: 'also when the machine is running' },
    { flags: '--dry-run', summary: 'print what would go' },
  ],
  examples: ['vmpkg rm app-console-1', 'vmpkg rm --force demo', "vmpkg rm --dry-run 'app-console-*'"],
  async run({ args, options, io }) {
    const request = { names: args, force: options['force'] === true }
    const workspace = await io.workspace({ write: !io.dryRun })
    const planned = await planRemoval(workspace, request)
    if (io.dryRun) {
      if (io.json) io.printJson('rm', { dryRun: true, removed: planned.map(({ name }) => name), machines: planned })
      else
        for (const { name, isRunning, files } of planned) {
          io.print(`Would remove ${name}${isRunning ? ', which is running' : ''}`)
          for (const file of files) io.print(`  ${file}`)
        }
      return 0
    }
    const names = planned.map(({ name }) => name)
    if (!(await io.confirm(`Remove ${names.join(', ')} and ${names.length === 1 ? 'its disk' : 'their disks'}?`)))
      return 1
    const removed = await removeClones(workspace, { names, force: request.force })
    if (io.json) io.printJson('rm', { removed })
    else for (const name of removed) io.print(`Removed ${name}`)
    return 0
  },
}
