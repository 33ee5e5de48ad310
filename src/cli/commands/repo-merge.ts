import { mergeRegistry } from '../../operations/repo-merge.ts'
import { type CommandSpec, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<registry>',
  summary: 'Take in the signed submissions under incoming/ and sign a new envelope.',
  options: [
    { flags: '--keys <folder>', summary: 'folder with the secret keys' },
    { flags: '--dry-run', summary: 'change nothing; say what would be published and uploaded' },
  ],
  examples: ['vmpkg repo merge ./registry --keys ./keys'],
  async run({ args, options, io }) {
    const [registry = ''] = args
    const result = await mergeRegistry(await io.workspace(), {
      registry,
      dryRun: io.dryRun,
      keys: optionText(options, 'keys'),
      passphrase: () => io.passphrase('Passphrase of the keys'),
    })
    if (io.json) io.printJson('repo-merge', { ...result })
    else for (const line of result.messages) io.print(line)
    return 0
  },
}
