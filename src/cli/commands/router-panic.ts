import { liftPanic, panicRouters } from '../../operations/router-panic.ts'
import { type CommandSpec, optionNumber, TIMEOUT_OPTION } from '../command.ts'

export const command: CommandSpec = {
  args: '[router...]',
  summary: 'Cut routers off at once, all of them where none is named, until the panic is lifted.',
  description:
    'Every card of them loses its link, the lowest routers first; neither a guest nor\n' +
    'another vmpkg is waited for. They run on, and nothing raises them again, not\n' +
    'even a restart, until --lift: then each has to attest its rules, as at a start.',
  options: [
    { flags: '--lift', summary: 'end the panic of the routers named, or of all' },
    TIMEOUT_OPTION,
    { flags: '--dry-run', summary: 'print which routers it is about, change nothing' },
  ],
  examples: ['vmpkg router panic', 'vmpkg router panic router-gal', 'vmpkg router panic --lift'],
  async run({ args: names, options, io }) {
    const isLift = options['lift'] === true
    const timeoutSeconds = optionNumber(options, 'timeout', 1)
    const workspace = await io.workspace({ write: isLift && !io.dryRun })
    const routers = isLift
      ? await liftPanic(workspace, { names, dryRun: io.dryRun, timeoutSeconds })
      : await panicRouters(workspace, { names, dryRun: io.dryRun })
    if (io.json) io.printJson('router-panic', { dryRun: io.dryRun, isLift, routers })
    else if (routers.length === 0) io.print(isLift ? 'No router is in panic' : 'There are no routers')
    else for (const { name } of routers) io.print(sentence(name, isLift, io.dryRun))
    return 0
  },
}

function sentence(name: string, isLift: boolean, dryRun: boolean): string {
  if (dryRun) return isLift ? `${name} would be let back` : `${name} would be cut off`
  return isLift ? `${name} is let back` : `${name} is cut off`
}
