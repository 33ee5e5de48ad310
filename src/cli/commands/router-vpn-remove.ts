import { removeRouterProfile } from '../../operations/router-vpn.ts'
import { type CommandSpec, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<profile>',
  summary: 'Forget a VPN profile that a router does not use.',
  options: [
    { flags: '--router <router>', summary: 'which one, where several have a VPN' },
    { flags: '--dry-run', summary: 'say what would be forgotten, change nothing' },
  ],
  examples: ['vmpkg router vpn remove oslo'],
  async run({ args: [name = ''], options, io }) {
    const { dryRun } = io
    const workspace = await io.workspace({ write: !dryRun })
    const { router } = await removeRouterProfile(workspace, { router: optionText(options, 'router'), name, dryRun })
    if (io.json) io.printJson('router-vpn-remove', { dryRun, router, profile: name })
    else io.print(dryRun ? `Would forget ${name} of ${router}` : `Forgot ${name} of ${router}`)
    return 0
  },
}
