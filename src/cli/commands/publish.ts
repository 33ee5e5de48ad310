import { publish } from '../../operations/publish.ts'
import { type CommandSpec, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<registry> <package...>',
  summary:
    'Publish packages: template folders are built first. Without the timestamp key a signed submission is left under incoming/.',
  options: [
    { flags: '--keys <folder>', summary: 'folder with the secret keys' },
    { flags: '--cache <folder>', summary: 'cache of downloaded Debian packages' },
    { flags: '--level <number>', summary: 'zstd level of image packs, 1 to 19' },
  ],
  examples: [
    'vmpkg publish ./registry templates/router-uni',
    'vmpkg publish /srv/www/vmpkg ./built/app-console_1.0.0-1_amd64',
  ],
  async run({ args, options, io }) {
    const [registry = '', ...packages] = args
    const result = await publish(await io.workspace(), {
      registry,
      packages,
      keys: optionText(options, 'keys'),
      cache: optionText(options, 'cache'),
      level: optionText(options, 'level'),
      passphrase: () => io.passphrase('Passphrase of the keys'),
    })
    if (io.json) io.printJson('publish', { ...result })
    else for (const line of result.messages) io.print(line)
    return 0
  },
}
