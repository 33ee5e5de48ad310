import { resignRegistry } from '../../operations/repo-resign.ts'
import { type CommandSpec, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<registry>',
  summary: 'Renew the envelope’s life. Idempotent; run it from a timer at half the life.',
  options: [
    { flags: '--keys <folder>', summary: 'folder with the secret keys' },
    { flags: '--force', summary: 'sign anew however fresh it is' },
    { flags: '--days <count>', summary: 'life of the new envelope (default: as long as this one)' },
    { flags: '--dry-run', summary: 'change nothing; say what would be published and uploaded' },
  ],
  examples: ['vmpkg repo resign ./registry --keys ./keys'],
  async run({ args, options, io }) {
    const [registry = ''] = args
    const result = await resignRegistry(await io.workspace(), {
      registry,
      dryRun: io.dryRun,
      force: options['force'] === true,
      days: optionText(options, 'days'),
      keys: optionText(options, 'keys'),
      passphrase: () => io.passphrase('Passphrase of the keys'),
    })
    if (io.json) io.printJson('repo-resign', { ...result })
    else for (const line of result.messages) io.print(line)
    return 0
  },
}
