import { renewCircuits } from '../../operations/router-newnym.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '[router]',
  summary: 'New Tor circuits for the clients of a router; without a name for the only one with Tor.',
  description:
    'What clients open from then on goes by circuits that nothing went by before, and\n' +
    'names are looked up anew. Connections that are open keep theirs: close them\n' +
    'first. Tor does it every ten seconds at most.',
  options: [{ flags: '--dry-run', summary: 'say which router would be asked, ask none' }],
  examples: ['vmpkg router newnym', 'vmpkg router newnym router-sol --json'],
  async run({ args: [name], io }) {
    const { dryRun } = io
    const { router, tor } = await renewCircuits(await io.workspace(), { name, dryRun })
    if (io.json) io.printJson('router-newnym', { dryRun, router, ...(tor === undefined ? {} : { tor }) })
    else io.print(dryRun ? `Would ask ${router} for new circuits` : `${router} makes new circuits`)
    return 0
  },
}
