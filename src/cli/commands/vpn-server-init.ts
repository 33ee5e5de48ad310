import { initVpnServer } from '../../operations/vpn-server.ts'
import { parseVpnProtocol } from '../../operations/vpn-server-router.ts'
import { DEFAULT_OPENVPN_PORT, DEFAULT_OPENVPN_SUBNET } from '../../router/openvpn-server.ts'
import { DEFAULT_VPN_PORT, DEFAULT_VPN_SUBNET } from '../../router/vpn-server.ts'
import { type CommandSpec, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '[router]',
  summary: 'Let a router of the first layer take in VPN clients: people outside who reach chosen machines.',
  description:
    'By WireGuard the router listens on one UDP port of its outer address; who has no\n' +
    'key gets no answer there. By OpenVPN it listens on a TCP port, or a UDP port, for\n' +
    'those whose networks let no UDP through; a router can have both. Where the host or\n' +
    'the house stands before it, forward the port to it there. Given again, it changes\n' +
    'what is given and keeps keys and clients; files that were handed out keep the\n' +
    'endpoint and the protocol that they were made with.',
  options: [
    { flags: '--protocol <protocol>', summary: 'wireguard (the default) or openvpn' },
    {
      flags: '--endpoint <host>',
      summary: 'where clients find it: a name or an address, with :PORT where another leads to it',
    },
    {
      flags: '--port <port>',
      summary: `port that the router listens on, as in 51820 or udp/1194 (default ${DEFAULT_VPN_PORT}; OpenVPN ${DEFAULT_OPENVPN_PORT.protocol}/${DEFAULT_OPENVPN_PORT.port})`,
    },
    {
      flags: '--subnet <subnet>',
      summary: `addresses of clients (default ${DEFAULT_VPN_SUBNET}; OpenVPN ${DEFAULT_OPENVPN_SUBNET})`,
    },
    { flags: '--dry-run', summary: 'say what would be done, change nothing' },
  ],
  examples: [
    'vmpkg vpn-server init --endpoint home.example.org',
    'vmpkg vpn-server init router-uni --endpoint 203.0.113.7:443 --port 443',
    'vmpkg vpn-server init --protocol openvpn --endpoint home.example.org',
  ],
  async run({ args: [router], options, io }) {
    const protocol = parseVpnProtocol(optionText(options, 'protocol') ?? 'wireguard')
    const workspace = await io.workspace({ write: !io.dryRun })
    const { changed, server } = await initVpnServer(workspace, {
      router,
      protocol,
      endpoint: optionText(options, 'endpoint'),
      port: optionText(options, 'port'),
      subnet: optionText(options, 'subnet'),
      dryRun: io.dryRun,
    })
    if (io.json) io.printJson('vpn-server-init', { dryRun: io.dryRun, changed, server })
    else {
      const { transport, port, endpoint, clients } = server
      const how = protocol === 'openvpn' ? ' by OpenVPN' : ''
      io.print(`${server.router} takes VPN clients in${how} at ${transport} ${port}, found at ${endpoint}`)
      const hint = protocol === 'openvpn' ? ' --protocol openvpn' : ''
      if (!changed) io.note('It was so already.')
      else if (clients.length === 0) io.note(`Add clients with vmpkg vpn-server add-client NAME${hint} --to MACHINE.`)
    }
    return 0
  },
}
