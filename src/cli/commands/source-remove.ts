import { removeSource } from '../../operations/source-remove.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '<name>',
  summary:
    'Stop trusting a registry. Installed packages stay; its high-water marks are kept, in case it is added again.',
  options: [],
  examples: ['vmpkg source remove example'],
  async run({ args, io }) {
    const [name = ''] = args
    await removeSource(await io.workspace({ write: true }), name)
    if (io.json) io.printJson('source-removed', { name })
    else io.print(`Removed source ${name}`)
    return 0
  },
}
