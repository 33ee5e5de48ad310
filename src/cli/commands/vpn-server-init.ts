import { initVpnServer } from '../../operations/vpn-server.ts'
import { DEFAULT_VPN_PORT, DEFAULT_VPN_SUBNET } from '../../router/vpn-server.ts'
import { type CommandSpec, optionNumber, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '[router]',
  summary: 'Let a router of the first layer take in VPN clients: people outside who reach chosen machines.',
  description:
    'The router listens for WireGuard on one UDP port of its outer address; who has no\n' +
    'key gets no answer there. Where the host or the house stands before it, forward\n' +
    'that port to it there. Given again, it changes what is given and keeps keys and\n' +
    'clients; files that were handed out keep the endpoint that they were made with.',
  options: [
    {
      flags: '--endpoint <host>',
      summary: 'where clients find it: a name or an address, with :PORT where another leads to it',
    },
    { flags: '--port <port>', summary: `UDP port that the router listens on (default ${DEFAULT_VPN_PORT})` },
    { flags: '--subnet <subnet>', summary: `addresses of clients (default ${DEFAULT_VPN_SUBNET})` },
    { flags: '--dry-run', summary: 'say what would be done, change nothing' },
  ],
  examples: [
    'vmpkg vpn-server init --endpoint home.example.org',
    'vmpkg vpn-server init router-uni --endpoint 203.0.113.7:443 --port 443',
  ],
  async run({ args: [router], options, io }) {
    const workspace = await io.workspace({ write: !io.dryRun })
    const { changed, server } = await initVpnServer(
      workspace,
      {
        router,
        endpoint: optionText(options, 'endpoint'),
        port: optionNumber(options, 'port', 1),
        subnet: optionText(options, 'subnet'),
        dryRun: io.dryRun,
      },
      { port: DEFAULT_VPN_PORT, subnet: DEFAULT_VPN_SUBNET },
    )
    if (io.json) io.printJson('vpn-server-init', { dryRun: io.dryRun, changed, server })
    else {
      io.print(`${server.router} takes VPN clients in at udp ${server.port}, found at ${server.endpoint}`)
      if (!changed) io.note('It was so already.')
      else if (server.clients.length === 0) io.note('Add clients with vmpkg vpn-server add-client NAME --to MACHINE.')
    }
    return 0
  },
}
