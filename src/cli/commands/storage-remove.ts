import { removeStorage } from '../../operations/storage.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '<name>',
  summary: 'Forget a place for disks; only an empty one.',
  description:
    'Its folder goes once nothing is left in it; one with files of others stays, and so does a\n' +
    'volume group. Of an encrypted one the key goes, for good.',
  options: [{ flags: '--dry-run', summary: 'check and stop' }],
  examples: ['vmpkg storage remove big'],
  async run({ args: [name = ''], io }) {
    const workspace = await io.workspace({ write: !io.dryRun })
    if (!io.dryRun && !(await io.confirm(`Forget the storage ${name}?`))) return 1
    const removed = await removeStorage(workspace, name, io.dryRun)
    if (io.json) io.printJson('storage-remove', { storage: removed.name, dryRun: io.dryRun })
    else io.print(`${io.dryRun ? 'Would remove' : 'Removed'} ${removed.name}: ${removed.type} ${removed.place}`)
    return 0
  },
}
