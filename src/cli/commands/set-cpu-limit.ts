import { VmpkgError } from '../../errors.ts'
import type { CommandSpec } from '../command.ts'
import { IMPACT_DESCRIPTION, IMPACT_OPTIONS, runSet } from '../resources.ts'

export const command: CommandSpec = {
  args: '<machine> [percent]',
  summary: 'How much of the host’s processors a machine may use.',
  description: `PERCENT is of one processor: 250% is two and a half. none lifts the limit.\n${IMPACT_DESCRIPTION}`,
  options: IMPACT_OPTIONS,
  examples: ['vmpkg set cpu-limit demo 50%', 'vmpkg set cpu-limit demo none'],
  async run({ args, options, io }) {
    const [name = '', text] = args
    const percent = text === 'none' ? undefined : Number(/^(\d{1,6})%?$/.exec(text ?? '')?.[1])
    if (text !== undefined && text !== 'none' && !(Number(percent) >= 1)) {
      throw new VmpkgError('USAGE', `set cpu-limit takes percent or none, not ${JSON.stringify(text.slice(0, 40))}`, {
        hint: `For example: vmpkg set cpu-limit ${name} 50%`,
      })
    }
    const change = text === undefined ? undefined : ({ kind: 'cpu-limit', percent } as const)
    return runSet(io, { name, change, options }, ({ cpuPercent }) =>
      cpuPercent === undefined ? 'no limit of processor time' : `at most ${cpuPercent} % of one processor`,
    )
  },
}
