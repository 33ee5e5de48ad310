import { listMarked, markPackages } from '../../operations/mark.ts'
import { type CommandSpec, WAIT_OPTION } from '../command.ts'

export const command: CommandSpec = {
  args: '[package...]',
  summary: 'Keep packages in their installed version: neither upgraded nor removed. Without names, list them.',
  options: [WAIT_OPTION],
  examples: ['vmpkg hold router-uni', 'vmpkg hold'],
  async run({ args, io }) {
    if (args.length === 0) {
      const held = listMarked(await io.workspace(), 'hold')
      if (io.json) io.printJson('marked', { mark: 'hold', packages: held })
      else for (const name of held) io.print(name)
      return held.length > 0 ? 0 : 1
    }
    const result = await markPackages(await io.workspace({ write: 'late' }), 'hold', args)
    if (io.json) io.printJson('mark', { ...result })
    else for (const line of result.changed ? result.messages : [`${args.join(', ')}: marked so already`]) io.print(line)
    return 0
  },
}
