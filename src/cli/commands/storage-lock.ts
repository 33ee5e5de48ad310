import { lockNamed } from '../../operations/storage-unlock.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '<name>',
  summary: 'Close an encrypted storage: nothing in it starts until it is unlocked again.',
  description: 'QEMU has the key of what runs. Such a storage is not locked: stop its machines first.',
  options: [],
  examples: ['vmpkg storage lock vault'],
  async run({ args: [name = ''], io }) {
    const changed = await lockNamed(await io.workspace({ write: true }), name)
    if (io.json) io.printJson('storage-lock', { storage: name, changed })
    else io.print(changed ? `Locked ${name}` : `${name} is locked already`)
    return 0
  },
}
