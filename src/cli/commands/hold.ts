import { listMarked } from '../../operations/mark.ts'
import type { CommandSpec } from '../command.ts'
import { MARK_OPTIONS, runMark } from '../mark.ts'

export const command: CommandSpec = {
  args: '[package...]',
  summary: 'Keep packages in their installed version: neither upgraded nor removed. Without names, list them.',
  options: MARK_OPTIONS,
  examples: ['vmpkg hold router-uni', 'vmpkg hold'],
  async run({ args, options, io }) {
    if (args.length === 0) {
      const held = listMarked(await io.workspace(), 'hold')
      if (io.json) io.printJson('marked', { mark: 'hold', packages: held })
      else for (const name of held) io.print(name)
      return held.length > 0 ? 0 : 1
    }
    return runMark(io, 'hold', args, options)
  },
}
