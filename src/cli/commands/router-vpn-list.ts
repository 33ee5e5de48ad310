import { listRouterProfiles } from '../../operations/router-vpn.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '[router]',
  summary: 'List the VPN profiles of routers, and which of them each uses.',
  options: [],
  examples: ['vmpkg router vpn list', 'vmpkg router vpn list router-gal --json'],
  async run({ args: [name], io }) {
    const routers = await listRouterProfiles(await io.workspace(), name)
    if (io.json) io.printJson('router-vpn-list', { routers })
    else {
      io.printTable(
        ['ROUTER', 'PROFILE', 'IN USE', 'KIND', 'ENDPOINTS'],
        routers.flatMap(({ router, profiles }) =>
          profiles.map(({ name: profile, isUsed, kind = '-', endpoints = [], problem }) => [
            router,
            profile,
            isUsed ? 'yes' : '-',
            kind,
            problem ?? endpoints.map((one) => `${one.address}:${one.port}/${one.protocol}`).join(' '),
          ]),
        ),
      )
    }
    return 0
  },
}
