import { publish } from '../../operations/publish.ts'
import { printAdded } from '../added.ts'
import { type CommandSpec, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<registry> <package...>',
  summary:
    'Publish packages: template folders are built first. Without the timestamp key a signed submission is left under incoming/.',
  description:
    'The registry is a folder, or sftp://[user@]host/path, rsync://host/module/path, rsync+ssh://host/path, s3://bucket/prefix, oci://host/repository.',
  options: [
    { flags: '--keys <folder>', summary: 'folder with the secret keys' },
    { flags: '--cache <folder>', summary: 'cache of downloaded Debian packages' },
    { flags: '--level <number>', summary: 'zstd level of image packs, 1 to 19' },
    { flags: '--dry-run', summary: 'show what would travel and who would sign; builds nothing' },
    { flags: '--to <target>', summary: 'push the registry folder there afterwards' },
  ],
  examples: [
    'vmpkg publish ./registry templates/router-uni',
    'vmpkg publish ./registry templates/router-uni --to sftp://example.org/srv/www',
    'vmpkg publish s3://my-registry/vmpkg ./built/app-console_1.0.0-1_amd64',
    'vmpkg publish oci://registry.example.org/team/vmpkg ./built/app',
    'vmpkg publish /srv/www/vmpkg ./built/app-console_1.0.0-1_amd64',
  ],
  async run({ args, options, io }) {
    const [registry = '', ...packages] = args
    const result = await publish(await io.workspace(), {
      registry,
      dryRun: io.dryRun,
      packages,
      keys: optionText(options, 'keys'),
      cache: optionText(options, 'cache'),
      level: optionText(options, 'level'),
      to: optionText(options, 'to'),
      passphrase: () => io.passphrase('Passphrase of the keys'),
    })
    if (io.json) io.printJson('publish', { ...result })
    else printAdded(io, result)
    return 0
  },
}
