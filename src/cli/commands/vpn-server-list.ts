import { listVpnServers } from '../../operations/vpn-server.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '',
  summary: 'List the VPN clients of routers, and what they may reach.',
  options: [],
  examples: ['vmpkg vpn-server list', 'vmpkg vpn-server list --json'],
  async run({ io }) {
    const servers = await listVpnServers(await io.workspace())
    if (io.json) io.printJson('vpn-server-list', { servers })
    else {
      for (const { router, protocol, endpoint, transport, port, subnet } of servers) {
        const how = protocol === 'openvpn' ? ' by OpenVPN' : ''
        io.note(
          `${router} takes VPN clients in${how} at ${transport} ${port}, found at ${endpoint}, and gives them ${subnet}`,
        )
      }
      io.printTable(
        ['ROUTER', 'CLIENT', 'PROTOCOL', 'ADDRESS', 'REACHES'],
        servers.flatMap(({ router, protocol, clients }) =>
          clients.map((one) => [
            router,
            one.name,
            protocol,
            one.address,
            one.machines.map((machine) => `${machine.name} (${machine.address})`).join(', ') || 'nothing',
          ]),
        ),
      )
    }
    return 0
  },
}
