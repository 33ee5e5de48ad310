import { setVpnClient } from '../../operations/vpn-server.ts'
import { type CommandSpec, optionList, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<name>',
  summary: 'Let a VPN client reach these machines, and no others.',
  description:
    'The router knows it at once. The client’s own file names the machines, too: set\n' +
    'AllowedIPs in it to what is printed, or make a new one.',
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
    const client = await setVpnClient(workspace, request)
    if (io.json) io.printJson('vpn-server-set-client', { dryRun, client })
    else io.print(`AllowedIPs = ${client.machines.map(({ address }) => `${address}/32`).join(', ')}`)
    return 0
  },
}
