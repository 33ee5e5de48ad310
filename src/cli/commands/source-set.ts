import { setSource } from '../../operations/source-set.ts'
import { type CommandSpec, optionNumber, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<name>',
  summary: 'Change how a registry is used. Which root keys it is trusted by does not change.',
  options: [
    { flags: '--expiry <policy>', summary: "strict, 'grace 3 days' or 'snapshot 2026-11-21T00:00:00Z'" },
    { flags: '--priority <number>', summary: '0 to 1000; of two sources with a package the higher one wins' },
    {
      flags: '--minimum-version <number>',
      summary: 'refuse the registry below this version, whatever this host remembers',
    },
    { flags: '--dry-run', summary: 'print the changed source, change nothing' },
  ],
  examples: ["vmpkg source set example --expiry 'grace 3 days'", 'vmpkg source set example --priority 600'],
  async run({ args, options, io }) {
    const [name = ''] = args
    const source = await setSource(await io.workspace({ write: !io.dryRun }), {
      name,
      expiry: optionText(options, 'expiry'),
      priority: optionNumber(options, 'priority', 0),
      minimumVersion: optionNumber(options, 'minimumVersion', 1),
      dryRun: io.dryRun,
    })
    if (io.json) io.printJson('source', { ...source })
    else
      io.print(
        `${source.name}: expiry ${source.expiry}, priority ${source.priority}${io.dryRun ? ' (not changed)' : ''}`,
      )
    return 0
  },
}
