import { VmpkgError } from '../../errors.ts'
import { formatSize, parseSize } from '../../model/size.ts'
import type { CommandSpec } from '../command.ts'
import { IMPACT_DESCRIPTION, IMPACT_OPTIONS, runSet } from '../resources.ts'

const LEAST_BYTES = 16 * 1024 * 1024

export const command: CommandSpec = {
  args: '<machine> [size]',
  summary: 'How much memory a machine has.',
  description: `${IMPACT_DESCRIPTION}\nWhat runs changes only within what it was started with, and if it has a balloon.`,
  options: IMPACT_OPTIONS,
  examples: ['vmpkg set memory demo 2GiB', 'vmpkg set memory demo 1GiB --config', 'vmpkg set memory demo'],
  async run({ args, options, io }) {
    const [name = '', size] = args
    const bytes = size === undefined ? undefined : parseSize(size)
    if (bytes !== undefined && bytes < LEAST_BYTES) {
      throw new VmpkgError('USAGE', `${size} is too little for a machine`, { hint: 'Give it 16MiB at least.' })
    }
    const change = bytes === undefined ? undefined : ({ kind: 'memory', bytes } as const)
    return runSet(io, { name, change, options }, ({ memoryKib }) => `${formatSize(memoryKib * 1024)} of memory`)
  },
}
