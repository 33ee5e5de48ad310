import { addToRegistry } from '../../operations/repo-add.ts'
import { printAdded } from '../added.ts'
import { type CommandSpec, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<registry> <built...>',
  summary: 'Sign built packages and add them to a registry folder: immutable files first, the envelope last.',
  options: [
    { flags: '--keys <folder>', summary: 'folder with the secret keys' },
    { flags: '--level <number>', summary: 'zstd level of image packs, 1 to 19' },
    { flags: '--dry-run', summary: 'change nothing; say what would be published and uploaded' },
  ],
  examples: ['vmpkg repo add ./registry ./built/router-uni_1.0.0-1_amd64 --keys ./keys'],
  async run({ args, options, io }) {
    const [registry = '', ...built] = args
    const result = await addToRegistry(await io.workspace(), {
      registry,
      dryRun: io.dryRun,
      built,
      keys: optionText(options, 'keys'),
      level: optionText(options, 'level'),
      passphrase: () => io.passphrase('Passphrase of the keys'),
    })
    if (io.json) io.printJson('repo-add', { ...result })
    else printAdded(io, result)
    return 0
  },
}
