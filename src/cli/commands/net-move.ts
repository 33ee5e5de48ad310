import { moveMachine } from '../../operations/net-move.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '<machine> <router>',
  summary: 'Put a machine on the LAN of another router, named by the router or the network.',
  description:
    'A running machine loses its link first and has it again when it is there, so it is\n' +
    'never on both; it asks for a lease there as after a pulled cable. A router moves\n' +
    'while it is stopped: what its routers above let through follows.',
  options: [
    { flags: '-f, --force', summary: 'also nearer to the outside than its package asks for' },
    { flags: '--dry-run', summary: 'print from where to where, change nothing' },
  ],
  examples: ['vmpkg net move app-console-1 router-gal', 'vmpkg net move app-console-1 uni0 --dry-run'],
  async run({ args: [machine = '', to = ''], options, io }) {
    const workspace = await io.workspace({ write: !io.dryRun })
    const request = { machine, to, force: options['force'] === true, dryRun: io.dryRun }
    const move = await moveMachine(workspace, request)
    if (io.json) io.printJson('net-move', { dryRun: io.dryRun, ...move })
    else if (!move.changed) io.print(`${move.machine} is on ${move.to} already`)
    else io.print(`${move.machine} ${io.dryRun ? 'would move' : 'moved'} from ${move.from ?? 'nowhere'} to ${move.to}`)
    return 0
  },
}
