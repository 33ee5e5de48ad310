import { promotePackage } from '../../operations/repo-promote.ts'
import { type CommandSpec, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<registry> <name> <version>',
  summary: 'Put a published version into a channel, for all hosts or a share of them. Signed by the promoter.',
  options: [
    { flags: '--channel <name>', summary: 'channel, as in stable or testing' },
    { flags: '--phase <percent>', summary: 'only for this share of hosts (default: all)' },
    { flags: '--arch <arch>', summary: 'only for this architecture' },
    { flags: '--keys <folder>', summary: 'folder with the secret keys' },
    { flags: '--dry-run', summary: 'show what would happen, change nothing' },
  ],
  examples: [
    'vmpkg repo promote ./registry router-uni 1.0.0-1 --channel stable --phase 10',
    'vmpkg repo promote ./registry router-uni 1.0.0-1 --channel stable --dry-run',
  ],
  async run({ args, options, io }) {
    const [registry = '', name = '', version = ''] = args
    const report = await promotePackage(await io.workspace(), {
      registry,
      name,
      version,
      arch: optionText(options, 'arch'),
      channel: optionText(options, 'channel'),
      phase: optionText(options, 'phase'),
      keys: optionText(options, 'keys'),
      dryRun: io.dryRun,
      passphrase: () => io.passphrase('Passphrase of the keys'),
    })
    if (io.json) io.printJson('repo-promote', { ...report })
    else for (const line of report.messages) io.print(line)
    return 0
  },
}
