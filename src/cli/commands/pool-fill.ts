import { fillPools, needsPools } from '../../operations/pool.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '[package]',
  summary: 'Make what is missing in pools, and end what is stale, until all that fit are ready.',
  description: 'vmpkg supervise does the same by itself.',
  options: [{ flags: '--dry-run', summary: 'say whether there is something to do, and stop' }],
  examples: ['vmpkg pool fill', 'vmpkg pool fill app-firefox'],
  async run({ args: [name], io }) {
    const workspace = await io.workspace({ write: io.dryRun ? false : 'late' })
    if (io.dryRun) {
      const isNeeded = await needsPools(workspace, await workspace.connect())
      if (io.json) io.printJson('pool-fill', { dryRun: true, isNeeded })
      else io.print(isNeeded ? 'Pools would change' : 'Pools are as they should be')
      return 0
    }
    const { made, short } = await fillPools(workspace, name)
    if (io.json) io.printJson('pool-fill', { dryRun: false, made, short })
    else io.print(made === 0 ? 'Nothing had to be made' : `Made ${made}`)
    if (short > 0) io.note(`There is no memory for ${short} more now`)
    return 0
  },
}
