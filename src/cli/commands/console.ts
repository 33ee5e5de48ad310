import { openConsole } from '../../operations/console.ts'
import { type CommandSpec, optionNumber } from '../command.ts'
import { attachTerminal, pipeLines } from '../terminal.ts'

export const command: CommandSpec = {
  args: '<machine>',
  summary: 'Open the serial console of a machine. Ctrl-] leaves it.',
  description:
    'With input that is not a terminal, sends its lines and prints what comes back until the console falls silent.',
  options: [
    { flags: '-f, --force', summary: 'take the console over from whoever has it' },
    { flags: '--silence <seconds>', summary: 'piped input: how long silence must last at the end (default 3)' },
  ],
  examples: ['vmpkg console demo', 'echo "ip address" | vmpkg console demo'],
  async run({ args, options, io }) {
    const [name = ''] = args
    const silence = optionNumber(options, 'silence', 0) ?? 3
    const stream = await openConsole(await io.workspace(), { name, force: options['force'] === true })
    if (io.stdin.isTTY) {
      io.note(`Connected to ${name}. Ctrl-] leaves.`)
      await attachTerminal(stream, io)
    } else await pipeLines(stream, io, silence * 1000)
    return 0
  },
}
