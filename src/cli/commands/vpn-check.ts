import { readVpnProfiles } from '../../operations/vpn-profiles.ts'
import type { Endpoint } from '../../router/vpn-profile.ts'
import type { CommandSpec } from '../command.ts'
import { countOf } from '../table.ts'

export const command: CommandSpec = {
  args: '<file>',
  summary: 'Say what a router would make of VPN profiles: endpoints, resolvers, what is left out, what is refused.',
  description:
    'Reads an OpenVPN, WireGuard or SSH profile, a folder of them, or an archive (tar, alone or in gzip, bzip2, xz or zstd, and zip). Nothing is kept and no key is shown. The exit status is 1 when a profile is refused. docs/vpn-profiles.md says what is accepted.',
  options: [],
  examples: ['vmpkg vpn check stockholm.ovpn', 'vmpkg vpn check AirVPN.tar.bz2', 'vmpkg vpn check ./profiles --json'],
  async run({ args, io }) {
    const [path = ''] = args
    const { profiles, refused } = await readVpnProfiles(await io.workspace(), path)
    if (io.json) {
      // Without `file`, which holds the keys.
      const shown = profiles.map(({ name, kind, endpoints, dns, addresses, mtu, notes = [] }) => ({
        name,
        kind,
        endpoints,
        dns,
        addresses,
        ...(mtu === undefined ? {} : { mtu }),
        notes,
      }))
      io.printJson('vpn-profiles', { ok: refused.length === 0, profiles: shown, refused })
    } else {
      io.printTable(
        ['PROFILE', 'KIND', 'ENDPOINTS', 'DNS', 'NOTES'],
        profiles.map(({ name, kind, endpoints, dns, notes = [] }) => [
          name,
          kind,
          endpoints.map(formatEndpoint).join(' '),
          dns.join(' ') || '-',
          notes.join(' ') || '-',
        ]),
        'whole',
      )
      for (const { path: file, message, hint } of refused) {
        io.note(`Refused ${file}: ${message}`, 'bad')
        if (hint !== undefined) io.note(`  ${hint}`)
      }
      io.note(`${countOf(profiles.length, 'profile')} accepted, ${refused.length} refused`)
    }
    return refused.length === 0 ? 0 : 1
  },
}

function formatEndpoint({ address, port, protocol }: Endpoint): string {
  return `${address}:${port}/${protocol}`
}
