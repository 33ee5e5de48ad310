import { addStorage } from '../../operations/storage.ts'
import { type CommandSpec, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<name>',
  summary: 'Name a place for disks of machines that are kept: a folder, an LVM volume group, a thin pool.',
  description:
    'Disks in it are qcow2 layers on the verified image of the package, in files or in\n' +
    'logical volumes. --encrypt encrypts all of them with a key that the passphrase, or the\n' +
    'key file, opens; VMPKG_PASSPHRASE or a prompt gives it. The folder must be empty or new.',
  options: [
    { flags: '--type <type>', summary: 'dir, lvm, lvm-thin (default: dir)' },
    { flags: '--path <folder>', summary: 'of dir' },
    { flags: '--volume-group <name>', summary: 'of lvm and lvm-thin' },
    { flags: '--thin-pool <name>', summary: 'of lvm-thin' },
    { flags: '--encrypt', summary: 'encrypt what is in it' },
    { flags: '--key-file <file>', summary: 'the passphrase is in this file, and opens it unasked' },
    { flags: '--dry-run', summary: 'check and stop' },
  ],
  examples: [
    'vmpkg storage add big --path /srv/vm',
    'vmpkg storage add vault --path /srv/vault --encrypt',
    'vmpkg storage add fast --type lvm-thin --volume-group vg0 --thin-pool pool0',
  ],
  async run({ args: [name = ''], options, io }) {
    const workspace = await io.workspace({ write: !io.dryRun })
    const added = await addStorage(workspace, {
      name,
      type: optionText(options, 'type') ?? 'dir',
      path: optionText(options, 'path'),
      volumeGroup: optionText(options, 'volumeGroup'),
      thinPool: optionText(options, 'thinPool'),
      encrypt: options['encrypt'] === true,
      keyFile: optionText(options, 'keyFile'),
      passphrase: () => io.passphrase(`Passphrase for storage ${name}`),
      dryRun: io.dryRun,
    })
    if (io.json) io.printJson('storage', { ...added })
    else io.print(`${io.dryRun ? 'Would add' : 'Added'} ${added.name}: ${added.type} ${added.place}`)
    if (added.isEncrypted && !io.dryRun)
      io.note('Without its key header all is lost: vmpkg storage show names the file, back it up.')
    return 0
  },
}
