import { listHistory } from '../../operations/history.ts'
import { type CommandSpec, optionNumber } from '../command.ts'

export const command: CommandSpec = {
  args: '',
  summary: 'What was done here, newest first: each command that changed packages has a number.',
  description: 'vmpkg history show, undo, redo and rollback take such a number.',
  options: [
    { flags: '-n, --limit <count>', summary: 'how many entries (default 20)' },
    { flags: '--all', summary: 'also what changed no packages, and what failed' },
  ],
  examples: ['vmpkg history', 'vmpkg history --all -n 100'],
  async run({ options, io }) {
    const limit = optionNumber(options, 'limit', 1) ?? 20
    const entries = listHistory(await io.workspace(), { limit, all: options['all'] === true })
    if (io.json) io.printJson('history', { entries })
    else {
      io.printTable(
        ['ID', 'WHEN', 'COMMAND', 'WHAT'],
        entries.map(({ id, when, operation, what, comment, outcome }) => [
          String(id),
          when.slice(0, 16).replace('T', ' '),
          operation,
          `${what}${comment === undefined ? '' : ` # ${comment}`}${outcome === 'undone' ? ' (failed, undone)' : ''}`,
        ]),
      )
    }
    return entries.length > 0 ? 0 : 1
  },
}
