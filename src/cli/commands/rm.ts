import { ownData, removeData } from '../../operations/data-disks.ts'
import { removeClones } from '../../operations/rm.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '<machine...>',
  summary: 'Remove clones with their disks. Routers are removed with their package.',
  description: 'Data disks that their packages declare stay for the next machine of the name (vmpkg data list).',
  options: [
    { flags: '-f, --force', summary: 'also when the machine is running' },
    { flags: '--data', summary: 'their data disks too, for good' },
  ],
  examples: ['vmpkg rm app-console-1', 'vmpkg rm --force demo', 'vmpkg rm --data browser'],
  async run({ args, options, io }) {
    const workspace = await io.workspace({ write: true })
    const data = options['data'] === true
    const what = data ? 'the disks and the data of it, for good' : 'the disks of it'
    if (!(await io.confirm(`Remove ${args.join(', ')} and ${what}?`))) return 1
    const removed = await removeClones(workspace, { names: args, force: options['force'] === true })
    const disks = await ownData(workspace, removed)
    if (data && disks.length > 0) await removeData(workspace, disks)
    const kept = data ? [] : disks
    if (io.json) io.printJson('rm', { removed, data: { removed: data ? disks : [], kept } })
    else {
      for (const name of removed) io.print(`Removed ${name}`)
      if (kept.length > 0) io.note(`Kept the data disks ${kept.join(', ')}: vmpkg data rm removes them`)
    }
    return 0
  },
}
