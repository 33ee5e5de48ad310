import { restoreBackup } from '../../operations/restore-backup.ts'
import { type CommandSpec, optionText } from '../command.ts'
import { formatBytes } from '../table.ts'

export const command: CommandSpec = {
  args: '<backup>',
  summary: 'Bring a machine back from a backup.',
  description:
    'The backup is FOLDER/MACHINE/POINT, or FOLDER/MACHINE or FOLDER for the newest in it. Under its\n' +
    'own name the machine is the same one again: UUID, addresses and keys. Under another --name it\n' +
    'gets an identity of its own. It is not started. A passphrase comes from VMPKG_PASSPHRASE or a\n' +
    'prompt.',
  options: [
    { flags: '--name <name>', summary: 'as another machine of this name' },
    { flags: '--at <point>', summary: 'a point, the beginning of one, or a time: the newest until then' },
    { flags: '--force', summary: 'in place of the machine that is there: what it has now is lost' },
    { flags: '--secret-key <file>', summary: 'OpenPGP secret key that opens an encrypted backup' },
    { flags: '--signed-by <fingerprint>', summary: 'believe this key, of the host that made the backup' },
    { flags: '--dry-run', summary: 'check everything, say what would be written' },
  ],
  examples: [
    'vmpkg restore /srv/backups/web',
    'vmpkg restore /srv/backups/web --at 2026-11-25 --name web-old',
    'vmpkg restore /media/stick/vms/web --secret-key me.key',
  ],
  async run({ args: [path = ''], options, io }) {
    const workspace = await io.workspace({ write: io.dryRun ? false : 'late' })
    const force = options['force'] === true
    const request = {
      path,
      at: optionText(options, 'at'),
      name: optionText(options, 'name'),
      force,
      secretKey: optionText(options, 'secretKey'),
      signedBy: optionText(options, 'signedBy'),
      passphrase: async () => io.passphrase('Passphrase of the secret key'),
    }
    if (force && !io.dryRun && !(await io.confirm('Replace the machine that is there, disks and all?'))) return 1
    const result = await restoreBackup(workspace, { ...request, dryRun: io.dryRun })
    if (io.json) io.printJson('restore', { dryRun: io.dryRun, ...result })
    else {
      const { name, machine, point, writtenBytes, isNew } = result
      const what = `${name} from ${machine}/${point}${isNew ? ', as a machine of its own' : ''}`
      io.print(io.dryRun ? `Would restore ${what}` : `Restored ${what}`)
      io.print(`  ${formatBytes(writtenBytes)} of disks; start it with: vmpkg start ${name}`)
    }
    return 0
  },
}
