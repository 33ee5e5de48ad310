import { yankPackage } from '../../operations/repo-yank.ts'
import { type CommandSpec, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<registry> <name> <version>',
  summary: 'Withdraw a published version, so that nobody installs it any more. Signed by the promoter.',
  options: [
    { flags: '--reason <text>', summary: 'why; users are shown it' },
    { flags: '--undo', summary: 'offer it again' },
    { flags: '--arch <arch>', summary: 'only for this architecture' },
    { flags: '--keys <folder>', summary: 'folder with the secret keys' },
    { flags: '--dry-run', summary: 'show what would happen, change nothing' },
  ],
  examples: [
    "vmpkg repo yank ./registry router-uni 1.0.0-1 --reason 'DNS leaks when the lease ends'",
    'vmpkg repo yank ./registry router-uni 1.0.0-1 --undo',
  ],
  async run({ args, options, io }) {
    const [registry = '', name = '', version = ''] = args
    const report = await yankPackage(await io.workspace(), {
      registry,
      name,
      version,
      arch: optionText(options, 'arch'),
      reason: optionText(options, 'reason'),
      undo: options['undo'] === true,
      keys: optionText(options, 'keys'),
      dryRun: io.dryRun,
      passphrase: () => io.passphrase('Passphrase of the keys'),
    })
    if (io.json) io.printJson('repo-yank', { ...report })
    else for (const line of report.messages) io.print(line)
    return 0
  },
}
