import { readLog } from '../../operations/logs.ts'
import { type CommandSpec, optionNumber } from '../command.ts'

export const command: CommandSpec = {
  args: '<machine>',
  summary: 'Print the serial log of a machine. Ephemeral clones keep none.',
  options: [
    { flags: '-n, --lines <count>', summary: 'only the last lines' },
    { flags: '-f, --follow', summary: 'keep printing what is added' },
  ],
  examples: ['vmpkg logs router-uni', 'vmpkg logs -n 50 -f router-uni'],
  async run({ args, options, io }) {
    const [name = ''] = args
    const lines = optionNumber(options, 'lines', 1) ?? Number.POSITIVE_INFINITY
    const follow = options['follow'] === true
    for await (const text of readLog(await io.workspace(), { name, lines, follow })) io.stdout.write(text)
    return 0
  },
}
