import { planReversion } from '../../operations/revert.ts'
import { type CommandSpec, optionText } from '../command.ts'
import { historyId } from '../history-id.ts'
import { CHANGE_OPTIONS, conflictSide, DEFINITION_OPTIONS, runPlan } from '../plan.ts'

export const command: CommandSpec = {
  args: '<id>',
  summary: 'Take back what one entry of the history changed.',
  description:
    'Packages, machines and networks come back with their UUIDs, MACs, parameters and\n' +
    'grants, from what is kept here or else from their source. Refused when something\n' +
    'later depends on it, or when a former version cannot be had any more.',
  options: [
    { flags: '--no-start', summary: 'do not start machines that come back' },
    ...DEFINITION_OPTIONS,
    ...CHANGE_OPTIONS,
  ],
  examples: ['vmpkg history undo 12', 'vmpkg history undo 12 --dry-run'],
  async run({ args, options, io }) {
    const workspace = await io.workspace({ write: io.dryRun ? false : 'late' })
    const plan = await planReversion(workspace, 'undo', historyId(args[0]), {
      set: [],
      grants: [],
      start: options['start'] !== false,
      restart: options['restart'] === true,
      conflict: conflictSide(options),
      comment: optionText(options, 'comment'),
    })
    return runPlan(io, workspace, plan, { name: 'history-undo', options, nothing: 'Everything is so already' })
  },
}
