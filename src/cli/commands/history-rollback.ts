import { planReversion } from '../../operations/revert.ts'
import { type CommandSpec, optionText } from '../command.ts'
import { historyId } from '../history-id.ts'
import { CHANGE_OPTIONS, conflictSide, DEFINITION_OPTIONS, runPlan } from '../plan.ts'

export const command: CommandSpec = {
  args: '<id>',
  summary: 'Go back to the state after one entry of the history; 0 is the beginning.',
  description: 'All later entries are reverted in one step.',
  options: [
    { flags: '--no-start', summary: 'do not start machines that come back' },
    ...DEFINITION_OPTIONS,
    ...CHANGE_OPTIONS,
  ],
  examples: ['vmpkg history rollback 12', 'vmpkg history rollback 12 --dry-run --diff'],
  async run({ args, options, io }) {
    const workspace = await io.workspace({ write: io.dryRun ? false : 'late' })
    const plan = await planReversion(workspace, 'rollback', historyId(args[0]), {
      set: [],
      grants: [],
      start: options['start'] !== false,
      restart: options['restart'] === true,
      conflict: conflictSide(options),
      comment: optionText(options, 'comment'),
    })
    return runPlan(io, workspace, plan, { name: 'history-rollback', options, nothing: 'Everything is so already' })
  },
}
