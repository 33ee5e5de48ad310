import { deleteSnapshots } from '../../operations/snapshot-delete.ts'
import type { CommandSpec } from '../command.ts'
import { countOf } from '../table.ts'

export const command: CommandSpec = {
  args: '<machine> <name...>',
  summary: 'Delete snapshots. The machine, and every other snapshot, keeps what it has.',
  description:
    'What a snapshot holds is merged into what follows from it, or removed where\n' +
    'nothing does. Of a running machine the files are merged once it\n' +
    'is off.',
  options: [
    { flags: '--children', summary: 'and all that follow from them' },
    { flags: '--dry-run', summary: 'say which would go, change nothing' },
  ],
  examples: ['vmpkg snapshot delete demo before-upgrade', 'vmpkg snapshot delete demo first --children -y'],
  async run({ args: [machine = '', ...names], options, io }) {
    const workspace = await io.workspace({ write: !io.dryRun })
    const request = { machine, names, children: options['children'] === true, dryRun: io.dryRun }
    const planned = await deleteSnapshots(workspace, { ...request, dryRun: true })
    const said = `${planned.deleted.join(', ')} of ${machine}`
    if (!io.dryRun && !(await io.confirm(`Delete ${said}?`))) return 1
    const done = io.dryRun ? planned : await deleteSnapshots(workspace, request)
    if (io.json) io.printJson('snapshot-delete', { ...done, dryRun: io.dryRun })
    else {
      io.print(`${io.dryRun ? 'Would delete' : 'Deleted'} ${said}`)
      if (done.waiting.length > 0)
        io.note(`${countOf(done.waiting.length, 'file')} of it will be merged once ${machine} is off`)
    }
    return 0
  },
}
