import { setPool } from '../../operations/pool.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '<package...>',
  summary: 'Give pools up, and end what waits in them. Machines that were taken out of them stay.',
  options: [{ flags: '--dry-run', summary: 'say what would be given up, and stop' }],
  examples: ['vmpkg pool drop app-firefox'],
  async run({ args, io }) {
    const workspace = await io.workspace({ write: io.dryRun ? false : 'late' })
    for (const name of args) {
      await setPool(workspace, { package: name, size: 0, mode: undefined, net: undefined, dryRun: io.dryRun })
      if (!io.json) io.print(`${io.dryRun ? 'Would give up' : 'Gave up'} the pool of ${name}`)
    }
    if (io.json) io.printJson('pool-drop', { packages: args, dryRun: io.dryRun })
    return 0
  },
}
