import { VmpkgError } from '../../errors.ts'
import { type BackupResult, backup } from '../../operations/backup.ts'
import { type CommandSpec, optionList, optionText } from '../command.ts'
import { formatBytes } from '../table.ts'

export const command: CommandSpec = {
  args: '<machine...>',
  summary: 'Back machines up into a folder: disks, definition, UEFI variables, configuration.',
  description:
    'A running machine goes on running: its disks are read as they were at one moment. What the\n' +
    'folder has already is not written again, so one folder for all machines is best. What is\n' +
    'written is read back, and a backup counts when all of it is on disk.\n' +
    'With --incremental QEMU notes from now on what changes, and later ones read only that. A\n' +
    'backup without it reads everything, and ends the noting.',
  options: [
    { flags: '--to <folder>', summary: 'where to; made when it is not there' },
    { flags: '--incremental', summary: 'read only what has changed since the last one' },
    { flags: '--encrypt-to <certificate>...', summary: 'encrypt to the OpenPGP certificate in this file' },
    { flags: '--dry-run', summary: 'say what would be read' },
  ],
  examples: [
    'vmpkg backup web --to /srv/backups',
    'vmpkg backup web db --to /srv/backups --incremental',
    'vmpkg backup web --to /media/stick/vms --encrypt-to me.asc',
  ],
  async run({ args, options, io }) {
    const to = optionText(options, 'to')
    if (to === undefined) {
      throw new VmpkgError('USAGE', 'Where to?', { hint: `Name a folder: vmpkg backup ${args.join(' ')} --to FOLDER` })
    }
    const workspace = await io.workspace({ write: io.dryRun ? false : 'late' })
    const backups: BackupResult[] = []
    for (const machine of args) {
      const result = await backup(workspace, {
        machine,
        to,
        incremental: options['incremental'] === true,
        encryptTo: optionList(options, 'encryptTo'),
        dryRun: io.dryRun,
      })
      backups.push(result)
      if (!io.json) io.print(io.dryRun ? plan(result) : done(result))
    }
    if (io.json) io.printJson('backup', { dryRun: io.dryRun, backups })
    return 0
  },
}

function plan({ machine, folder, kind, since, readBytes }: BackupResult): string {
  const what = kind === 'full' ? `read up to ${formatBytes(readBytes)}` : `read what has changed since ${since}`
  return `Would ${what} of ${machine} and write what ${folder} does not have`
}

function done({ machine, folder, point, since, readBytes, addedBytes }: BackupResult): string {
  const from = since === undefined ? '' : ` changed since ${since}`
  return `${folder}/${machine}/${point}\n  ${formatBytes(readBytes)} read${from}, ${formatBytes(addedBytes)} written`
}
