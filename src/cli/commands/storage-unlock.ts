import { unlockNamed } from '../../operations/storage-unlock.ts'
import { type CommandSpec, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<name>',
  summary: 'Open an encrypted storage until it is locked, or libvirt ends.',
  description:
    'libvirt then has its key, in memory alone, and machines in it start. A passphrase comes\n' +
    'from VMPKG_PASSPHRASE or a prompt.',
  options: [
    { flags: '--key-file <file>', summary: 'the passphrase is in this file (default: the one it was added with)' },
  ],
  examples: ['vmpkg storage unlock vault', 'vmpkg storage unlock vault --key-file /media/stick/vault.key'],
  async run({ args: [name = ''], options, io }) {
    const changed = await unlockNamed(await io.workspace({ write: true }), {
      name,
      keyFile: optionText(options, 'keyFile'),
      passphrase: () => io.passphrase(`Passphrase of storage ${name}`),
    })
    if (io.json) io.printJson('storage-unlock', { storage: name, changed })
    else io.print(changed ? `Unlocked ${name}` : `${name} is unlocked already`)
    return 0
  },
}
