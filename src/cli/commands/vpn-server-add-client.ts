import { addVpnClient } from '../../operations/vpn-server.ts'
import { parseVpnProtocol } from '../../operations/vpn-server-router.ts'
import { type CommandSpec, optionList, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<name>',
  summary: 'Make one file for a VPN client, and let it in to the machines that are named.',
  description:
    'The file is for wg-quick and the WireGuard programs of phones, or for OpenVPN from\n' +
    '2.4 on. It holds the only copy of the client’s key: lost, remove the client and\n' +
    'add it again. Only what is for these machines goes into the tunnel. A router that\n' +
    'runs lets the client in at once, and sessions of others go on.',
  options: [
    { flags: '--to <machine>...', summary: 'a machine behind the router that it may reach (repeatable)' },
    { flags: '--protocol <protocol>', summary: 'wireguard or openvpn, where the router has both (default wireguard)' },
    { flags: '--out <file>', summary: 'write the file there, for its owner only (default: print it)' },
    { flags: '--force', summary: 'replace a file that is there' },
    { flags: '--qr', summary: 'print it as a QR code, for a phone; one of OpenVPN needs 170 columns' },
    { flags: '--router <router>', summary: 'which one, where several routers of the first layer are there' },
    { flags: '--dry-run', summary: 'say what it would reach, change nothing' },
  ],
  examples: [
    'vmpkg vpn-server add-client anna --to web --out anna.conf',
    'vmpkg vpn-server add-client phone --to web --to files --qr',
    'vmpkg vpn-server add-client anna-train --protocol openvpn --to web --out anna.ovpn',
  ],
  async run({ args: [name = ''], options, io }) {
    const { dryRun } = io
    const chosen = optionText(options, 'protocol')
    const wanted = chosen === undefined ? undefined : parseVpnProtocol(chosen)
    const workspace = await io.workspace({ write: !dryRun })
    const out = optionText(options, 'out')
    const qr = options['qr'] === true
    const { protocol, client, file, code } = await addVpnClient(workspace, {
      router: optionText(options, 'router'),
      name,
      protocol: wanted,
      to: optionList(options, 'to'),
      out,
      force: options['force'] === true,
      qr,
      dryRun,
    })
    const reached = client.machines.map((one) => `${one.name} (${one.address})`).join(', ')
    if (io.json) {
      io.printJson('vpn-server-add-client', {
        dryRun,
        protocol,
        client,
        ...(dryRun ? {} : { file }),
        ...(out === undefined ? {} : { out }),
      })
    } else if (dryRun) io.print(`${name} would be ${client.address} and reach ${reached}`)
    else {
      if (out === undefined && !qr) io.print(file.trimEnd())
      if (code !== undefined) io.print(code)
      io.note(`${name} is ${client.address} and reaches ${reached}`)
      if (out !== undefined) io.note(`Its file is ${out}: hand it over by a way that nobody else reads.`)
    }
    return 0
  },
}
