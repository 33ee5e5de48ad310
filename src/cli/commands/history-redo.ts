import { planReversion } from '../../operations/revert.ts'
import { type CommandSpec, optionText } from '../command.ts'
import { historyId } from '../history-id.ts'
import { CHANGE_OPTIONS, conflictSide, DEFINITION_OPTIONS, runPlan } from '../plan.ts'

export const command: CommandSpec = {
  args: '<id>',
  summary: 'Do again what one entry of the history changed, as after an undo.',
  description:
    'For an entry that was undone: the same versions, parameters and grants. Refused\n' +
    'when the packages are no longer as they were before that entry.',
  options: [
    { flags: '--no-start', summary: 'do not start machines that come back' },
    ...DEFINITION_OPTIONS,
    ...CHANGE_OPTIONS,
  ],
  examples: ['vmpkg history redo 12'],
  async run({ args, options, io }) {
    const workspace = await io.workspace({ write: io.dryRun ? false : 'late' })
    const plan = await planReversion(workspace, 'redo', historyId(args[0]), {
      set: [],
      grants: [],
      start: options['start'] !== false,
      restart: options['restart'] === true,
      conflict: conflictSide(options),
      comment: optionText(options, 'comment'),
    })
    return runPlan(io, workspace, plan, { name: 'history-redo', options, nothing: 'Everything is so already' })
  },
}
