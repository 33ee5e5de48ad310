import { type UsedProfile, useRouterProfile } from '../../operations/router-vpn.ts'
import { type CommandSpec, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<profile>',
  summary: 'Switch a router to another of its VPN profiles, while it runs.',
  description:
    'The router above lets both tunnels through, the router changes over, and the one\n' +
    'above takes the old one back; each step is attested. What a router refuses leaves\n' +
    'everything as it was. Clients wait until the new tunnel is up; nothing of theirs\n' +
    'goes another way. The profile in use: its tunnel starts anew.',
  options: [
    { flags: '--router <router>', summary: 'which one, where several have a VPN' },
    { flags: '--dry-run', summary: 'say what would be done, change nothing' },
  ],
  examples: ['vmpkg router vpn use oslo', 'vmpkg router vpn use oslo --router router-gal --json'],
  async run({ args: [name = ''], options, io }) {
    const { dryRun } = io
    const workspace = await io.workspace({ write: !dryRun })
    const result = await useRouterProfile(workspace, { router: optionText(options, 'router'), name, dryRun })
    if (io.json) io.printJson('router-vpn-use', { dryRun, ...result })
    else io.print(describe(result, dryRun))
    return 0
  },
}

function describe({ router, profile: { name }, previous, action }: UsedProfile, dryRun: boolean): string {
  const from = previous === undefined ? '' : ` from ${previous}`
  switch (action) {
    case 'switched':
      return dryRun ? `${router} would switch${from} to ${name}` : `${router} switched${from} to ${name}`
    case 'restarted':
      return dryRun ? `${router} would start the tunnel of ${name} anew` : `${router} starts the tunnel of ${name} anew`
    case 'chosen':
      return `${router} ${dryRun ? 'would use' : 'uses'} ${name} from its next start on`
    case 'unchanged':
      return `${router} uses ${name} already, from its next start on`
  }
}
