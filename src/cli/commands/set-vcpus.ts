import { VmpkgError } from '../../errors.ts'
import type { CommandSpec } from '../command.ts'
import { IMPACT_DESCRIPTION, IMPACT_OPTIONS, runSet } from '../resources.ts'

export const command: CommandSpec = {
  args: '<machine> [count]',
  summary: 'How many virtual processors a machine has.',
  description: `${IMPACT_DESCRIPTION}\nWhat runs gets no more than it was started with.`,
  options: IMPACT_OPTIONS,
  examples: ['vmpkg set vcpus demo 4', 'vmpkg set vcpus demo'],
  async run({ args, options, io }) {
    const [name = '', text] = args
    if (text !== undefined && (!/^\d{1,4}$/.test(text) || Number(text) === 0)) {
      throw new VmpkgError('USAGE', `set vcpus takes a number from 1 on, not ${JSON.stringify(text.slice(0, 40))}`, {
        hint: `For example: vmpkg set vcpus ${name} 2`,
      })
    }
    const change = text === undefined ? undefined : ({ kind: 'vcpus', count: Number(text) } as const)
    return runSet(
      io,
      { name, change, options },
      ({ vcpus }) => `${vcpus} virtual ${vcpus === 1 ? 'processor' : 'processors'}`,
    )
  },
}
