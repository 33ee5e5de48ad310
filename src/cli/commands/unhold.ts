import type { CommandSpec } from '../command.ts'
import { MARK_OPTIONS, runMark } from '../mark.ts'

export const command: CommandSpec = {
  args: '<package...>',
  summary: 'Let held packages be upgraded and removed again.',
  options: MARK_OPTIONS,
  examples: ['vmpkg unhold router-uni'],
  async run({ args, options, io }) {
    return runMark(io, 'unhold', args, options)
  },
}
