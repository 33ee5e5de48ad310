import { showHistory } from '../../operations/history.ts'
import type { CommandSpec } from '../command.ts'
import { historyId } from '../history-id.ts'

export const command: CommandSpec = {
  args: '<id>',
  summary: 'What one entry of the history changed: versions, parameters, marks, definitions.',
  options: [],
  examples: ['vmpkg history show 12'],
  async run({ args, io }) {
    const entry = showHistory(await io.workspace(), historyId(args[0]))
    if (io.json) {
      io.printJson('history-entry', { ...entry })
      return 0
    }
    io.print(`Entry ${entry.id}, ${entry.when}: ${entry.command}`)
    if (entry.comment !== undefined) io.print(`Comment: ${entry.comment}`)
    if (entry.outcome === 'undone') io.print('It failed and was undone')
    for (const { name, before, after, parameters, marks } of entry.packages) {
      io.print(`  ${name}: ${before ?? 'none'} → ${after ?? 'none'}`)
      if (parameters.length > 0) io.print(`    parameters changed: ${parameters.join(', ')}`)
      if (marks.length > 0) io.print(`    marked: ${marks.join(', ')}`)
    }
    for (const { diff } of entry.definitions) if (diff !== '') io.print(diff)
    if (entry.retained) io.print('What it took out of use is still kept here')
    return 0
  },
}
