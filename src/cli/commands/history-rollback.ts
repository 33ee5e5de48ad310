import type { CommandSpec } from '../command.ts'
import { CHANGE_OPTIONS, DEFINITION_OPTIONS } from '../plan.ts'
import { runReversion } from '../reversion.ts'

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
  run: (invocation) => runReversion('rollback', invocation),
}
