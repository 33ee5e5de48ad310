import { removeVpnServer } from '../../operations/vpn-server.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '[router]',
  summary: 'End the VPN server of a router: its port closes, keys and clients are forgotten.',
  options: [{ flags: '--dry-run', summary: 'say what would be done, change nothing' }],
  examples: ['vmpkg vpn-server remove', 'vmpkg vpn-server remove router-uni'],
  async run({ args: [name], io }) {
    const { dryRun } = io
    const { router, changed } = await removeVpnServer(await io.workspace({ write: !dryRun }), { router: name, dryRun })
    if (io.json) io.printJson('vpn-server-remove', { dryRun, router, changed })
    else if (!changed) io.print(`${router} is no VPN server`)
    else io.print(`${router} ${dryRun ? 'would take' : 'takes'} no VPN clients in any more`)
    return 0
  },
}
