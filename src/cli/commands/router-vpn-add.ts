import { addRouterProfiles } from '../../operations/router-vpn.ts'
import { type CommandSpec, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<file...>',
  summary: 'Keep VPN profiles for a router, to switch to.',
  description:
    'Takes profiles of OpenVPN and WireGuard, folders of them, and archives (tar, alone\n' +
    'or in gzip, bzip2, xz or zstd, and zip). Each is called what its file is called.\n' +
    'The files are read now and not again. What is refused keeps no other out; the exit\n' +
    'status is 1 then. A profile has to have its certificates and keys in itself.',
  options: [
    { flags: '--router <router>', summary: 'which one, where several have a VPN' },
    { flags: '--dry-run', summary: 'say what would be kept, change nothing' },
  ],
  examples: ['vmpkg router vpn add stockholm.ovpn oslo.ovpn', 'vmpkg router vpn add provider.zip --router router-gal'],
  async run({ args, options, io }) {
    const { dryRun } = io
    const workspace = await io.workspace({ write: !dryRun })
    const result = await addRouterProfiles(workspace, { router: optionText(options, 'router'), paths: args, dryRun })
    const { router, added, refused } = result
    if (io.json) io.printJson('router-vpn-add', { dryRun, router, added, refused })
    else {
      for (const { name } of added) io.print(`${dryRun ? 'Would keep' : 'Kept'} ${name} for ${router}`)
      for (const { path, message, hint } of refused) {
        io.note(`Refused ${path}: ${message}`, 'bad')
        if (hint !== undefined) io.note(`  ${hint}`)
      }
      if (added[0] !== undefined) io.note(`Switch with vmpkg router vpn use ${added[0].name}.`)
    }
    return refused.length === 0 ? 0 : 1
  },
}
