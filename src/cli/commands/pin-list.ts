import { listPins } from '../../operations/pins.ts'
import { showPin } from '../../operations/policy.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '',
  summary: 'List the pins, in the order of their file.',
  options: [],
  examples: ['vmpkg pin list'],
  async run({ io }) {
    const pins = listPins(await io.workspace())
    if (io.json) io.printJson('pins', { pins })
    else
      io.printTable(
        ['PRIORITY', 'PIN', 'REASON'],
        pins.map((pin) => [String(pin.priority), showPin(pin), pin.reason ?? '']),
      )
    return 0
  },
}
