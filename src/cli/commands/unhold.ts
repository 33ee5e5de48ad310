import { markPackages } from '../../operations/mark.ts'
import { type CommandSpec, WAIT_OPTION } from '../command.ts'

export const command: CommandSpec = {
  args: '<package...>',
  summary: 'Let held packages be upgraded and removed again.',
  options: [WAIT_OPTION],
  examples: ['vmpkg unhold router-uni'],
  async run({ args, io }) {
    const result = await markPackages(await io.workspace({ write: 'late' }), 'unhold', args)
    if (io.json) io.printJson('mark', { ...result })
    else for (const line of result.changed ? result.messages : [`${args.join(', ')}: marked so already`]) io.print(line)
    return 0
  },
}
