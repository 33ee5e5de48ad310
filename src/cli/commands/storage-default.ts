import { defaultStorage, setDefaultStorage } from '../../operations/storage.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '[name]',
  summary: 'Where disks of machines go if nothing else is said; without a name, print it.',
  options: [],
  examples: ['vmpkg storage default', 'vmpkg storage default vault', 'vmpkg storage default built-in'],
  async run({ args: [name], io }) {
    const workspace = await io.workspace({ write: name !== undefined })
    if (name !== undefined) await setDefaultStorage(workspace, name)
    const chosen = defaultStorage(workspace)
    if (io.json) io.printJson('storage-default', { storage: chosen })
    else io.print(chosen)
    return 0
  },
}
