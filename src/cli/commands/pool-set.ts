import { setPool } from '../../operations/pool.ts'
import { type CommandSpec, optionText } from '../command.ts'
import { parseCount } from '../count.ts'

export const command: CommandSpec = {
  args: '<package> <number>',
  summary: 'Keep so many machines of an app booted and paused, for vmpkg clone --ephemeral and vmpkg run to take.',
  description:
    'They have no network and no identity until somebody takes one, and hold memory of the host: what does not fit is ' +
    'not made, and when memory gets short they go first. vmpkg supervise makes new ones; without it vmpkg pool fill does. ' +
    '0 gives the pool up.',
  options: [
    { flags: '--mode <mode>', summary: 'where they write: ram, encrypted, transient (default: ram if it fits)' },
    { flags: '--net <network>', summary: 'router LAN that they are for, such as uni0' },
    { flags: '--dry-run', summary: 'say whether this host has memory for them, and stop' },
  ],
  examples: ['vmpkg pool set app-firefox 2', 'vmpkg pool set app-console 1 --mode encrypted --net uni0'],
  async run({ args, options, io }) {
    const [name = '', number = ''] = args
    const size = parseCount(number)
    const workspace = await io.workspace({ write: io.dryRun ? false : 'late' })
    const request = { package: name, size, mode: optionText(options, 'mode'), net: optionText(options, 'net') }
    const filled = await setPool(workspace, { ...request, dryRun: io.dryRun })
    if (io.json) io.printJson('pool-set', { package: name, size, dryRun: io.dryRun, ...filled })
    else if (io.dryRun) io.print(`The pool of ${name} would have ${size}`)
    else if (size === 0) io.print(`${name} has no pool`)
    else io.print(`The pool of ${name} has ${size}${filled.made > 0 ? `, ${filled.made} of them new` : ''}`)
    if (filled.short > 0) io.note(`There is no memory for ${filled.short} of them now; they are made when there is`)
    return 0
  },
}
