import { setVpnClient } from '../../operations/vpn-server.ts'
import { type CommandSpec, optionList, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<name>',
  summary: 'Let a VPN client reach these machines, and no others.',
  description:
    'The router knows it at once. A client of OpenVPN is asked to come again, and told\n' +
    'then. The file of one of WireGuard names the machines, too: set AllowedIPs in it to\n' +
    'what is printed, or make a new one.',
  options: [
    { flags: '--to <machine>...', summary: 'a machine behind the router that it may reach (repeatable)' },
    { flags: '--router <router>', summary: 'which one, where several routers of the first layer are there' },
    { flags: '--dry-run', summary: 'say what it would reach, change nothing' },
  ],
  examples: ['vmpkg vpn-server set-client anna --to web --to files'],
  async run({ args: [name = ''], options, io }) {
    const { dryRun } = io
    const workspace = await io.workspace({ write: !dryRun })
    const request = { router: optionText(options, 'router'), name, to: optionList(options, 'to'), dryRun }
    const { protocol, client } = await setVpnClient(workspace, request)
    const reached = client.machines.map((one) => `${one.name} (${one.address})`).join(', ')
    if (io.json) io.printJson('vpn-server-set-client', { dryRun, protocol, client })
    else if (protocol === 'openvpn') io.print(`${client.name} ${dryRun ? 'would reach' : 'reaches'} ${reached}`)
    else io.print(`AllowedIPs = ${client.machines.map(({ address }) => `${address}/32`).join(', ')}`)
    return 0
  },
}
