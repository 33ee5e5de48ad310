import type { CommandSpec } from '../command.ts'
import { CHANGE_OPTIONS, DEFINITION_OPTIONS } from '../plan.ts'
import { runReversion } from '../reversion.ts'

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
  run: (invocation) => runReversion('redo', invocation),
}
