import { removeVpnServer } from '../../operations/vpn-server.ts'
import { parseVpnProtocol } from '../../operations/vpn-server-router.ts'
import { type CommandSpec, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '[router]',
  summary: 'End the VPN server of a router: its port closes, keys and clients are forgotten.',
  options: [
    { flags: '--protocol <protocol>', summary: 'wireguard or openvpn alone, where the router has both' },
    { flags: '--dry-run', summary: 'say what would be done, change nothing' },
  ],
  examples: ['vmpkg vpn-server remove', 'vmpkg vpn-server remove router-uni --protocol openvpn'],
  async run({ args: [name], options, io }) {
    const { dryRun } = io
    const chosen = optionText(options, 'protocol')
    const protocol = chosen === undefined ? undefined : parseVpnProtocol(chosen)
    const { router, changed } = await removeVpnServer(await io.workspace({ write: !dryRun }), {
      router: name,
      protocol,
      dryRun,
    })
    if (io.json) io.printJson('vpn-server-remove', { dryRun, router, changed })
    else if (!changed) io.print(`${router} is no VPN server${chosen === undefined ? '' : ` of ${chosen}`}`)
    else {
      const how = chosen === undefined ? '' : ` by ${chosen}`
      io.print(`${router} ${dryRun ? 'would take' : 'takes'} no VPN clients in${how} any more`)
    }
    return 0
  },
}
