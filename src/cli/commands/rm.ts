import { ownData, removeData } from '../../operations/data-disks.ts'
import { planRemoval, removeClones } from '../../operations/rm.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '<machine...>',
  summary: 'Remove clones with their disks. Routers are removed with their package.',
  description:
    'A machine may be a pattern of names: * stands for any text, ? for one character. Quote it for the shell. ' +
    'Data disks that their packages declare stay for the next machine of the name (vmpkg data list).',
  options: [
    { flags: '-f, --force', summary: 'also when the machine is running' },
    { flags: '--data', summary: 'their data disks too, for good' },
    { flags: '--dry-run', summary: 'print what would go' },
  ],
  examples: ['vmpkg rm app-console-1', 'vmpkg rm --data browser', "vmpkg rm --dry-run 'app-console-*'"],
  async run({ args, options, io }) {
    const request = { names: args, force: options['force'] === true }
    const data = options['data'] === true
    const workspace = await io.workspace({ write: !io.dryRun })
    const planned = await planRemoval(workspace, request)
    const names = planned.map(({ name }) => name)
    if (io.dryRun) {
      const disks = data ? await ownData(workspace, names) : []
      if (io.json) io.printJson('rm', { dryRun: true, removed: names, machines: planned, data: { removed: disks } })
      else {
        for (const { name, isRunning, files } of planned) {
          io.print(`Would remove ${name}${isRunning ? ', which is running' : ''}`)
          for (const file of files) io.print(`  ${file}`)
        }
        for (const disk of disks) io.print(`Would remove the data disk ${disk}`)
      }
      return 0
    }
    const whose = names.length === 1 ? 'its' : 'their'
    const what = data ? `${whose} disks with the data, for good` : `${whose} disks`
    if (!(await io.confirm(`Remove ${names.join(', ')} and ${what}?`))) return 1
    const removed = await removeClones(workspace, { names, force: request.force })
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
