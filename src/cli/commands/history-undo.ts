import type { CommandSpec } from '../command.ts'
import { CHANGE_OPTIONS, DEFINITION_OPTIONS } from '../plan.ts'
import { runReversion } from '../reversion.ts'

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
  run: (invocation) => runReversion('undo', invocation),
}
