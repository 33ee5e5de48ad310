import { removePin } from '../../operations/pins.ts'
import { showPin } from '../../operations/policy.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '<package>',
  summary: 'Remove the pins of a package: NAME, NAME=VERSION or a pattern as it was set.',
  options: [],
  examples: ['vmpkg pin remove router-uni', 'vmpkg pin remove router-uni=1.0-1'],
  async run({ args, io }) {
    const [target = ''] = args
    const removed = await removePin(await io.workspace({ write: true }), target)
    if (io.json) io.printJson('pins-removed', { removed })
    else for (const pin of removed) io.print(`Removed the pin ${showPin(pin)}`)
    return 0
  },
}
