import { listBackups } from '../../operations/backup-list.ts'
import type { CommandSpec } from '../command.ts'
import { formatBytes } from '../table.ts'

export const command: CommandSpec = {
  args: '<folder|machine>',
  summary: 'The backups in a folder, or those of a machine in the folders that it was backed up to.',
  description: 'Every backup can be restored alone, also an incremental one.',
  options: [],
  examples: ['vmpkg backup list /srv/backups', 'vmpkg backup list /srv/backups/web', 'vmpkg backup list web'],
  async run({ args: [what = ''], io }) {
    const backups = await listBackups(await io.workspace(), what)
    if (io.json) io.printJson('backup-list', { backups })
    else {
      io.printTable(
        ['MACHINE', 'POINT', 'KIND', 'DISKS', 'ADDED', 'STATE'],
        backups.map(({ machine, point, kind, disks, addedBytes, encryptedTo, isOwn, isComplete }) => [
          machine,
          point,
          kind,
          formatBytes(disks.reduce((sum, { size }) => sum + size, 0)),
          formatBytes(addedBytes),
          [
            isComplete ? 'complete' : 'INCOMPLETE',
            ...(encryptedTo.length > 0 ? ['encrypted'] : []),
            ...(isOwn ? [] : ['of another host']),
          ].join(', '),
        ]),
      )
    }
    return backups.length > 0 ? 0 : 1
  },
}
