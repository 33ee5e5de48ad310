import { setPin } from '../../operations/pins.ts'
import { showPin } from '../../operations/policy.ts'
import { type CommandSpec, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<package> <priority>',
  summary: 'Prefer or forbid versions of a package.',
  description:
    'The package may be NAME, NAME=VERSION or a pattern such as router-*. Sources\n' +
    'have priority 500 by default; the highest one wins. Below 0 is never, above\n' +
    '1000 also takes the place of a newer installed version.',
  options: [
    { flags: '--source <name>', summary: 'only versions from this source' },
    { flags: '--channel <name>', summary: 'only versions in this channel' },
    { flags: '--reason <text>', summary: 'why, for whoever reads it later' },
  ],
  examples: [
    'vmpkg pin set router-uni=1.0-1 1001',
    'vmpkg pin set router-uni 990 --source example',
    'vmpkg pin set tor=0.4.8-2 -1 --reason "loses circuits"',
  ],
  async run({ args, options, io }) {
    const [target = '', priority = ''] = args
    const workspace = await io.workspace({ write: true })
    const pin = await setPin(workspace, {
      target,
      priority,
      source: optionText(options, 'source'),
      channel: optionText(options, 'channel'),
      reason: optionText(options, 'reason'),
    })
    if (io.json) io.printJson('pin', { ...pin })
    else io.print(`Pinned ${showPin(pin)} to ${pin.priority}`)
    return 0
  },
}
