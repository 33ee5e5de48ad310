import { removeVpnClient } from '../../operations/vpn-server.ts'
import { type CommandSpec, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<name>',
  summary: 'Let a VPN client in no more: its file is of no use from then on.',
  description: 'A session that runs is cut at once, and the file opens no other. Those of others go on.',
  options: [
    { flags: '--router <router>', summary: 'which one, where several routers of the first layer are there' },
    { flags: '--dry-run', summary: 'say what would be done, change nothing' },
  ],
  examples: ['vmpkg vpn-server remove-client anna'],
  async run({ args: [name = ''], options, io }) {
    const { dryRun } = io
    await removeVpnClient(await io.workspace({ write: !dryRun }), {
      router: optionText(options, 'router'),
      name,
      dryRun,
    })
    if (io.json) io.printJson('vpn-server-remove-client', { dryRun, name })
    else io.print(dryRun ? `${name} would be removed` : `${name} is removed`)
    return 0
  },
}
