import { rotateKey } from '../../operations/repo-rotate-key.ts'
import { type CommandSpec, optionList, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<registry>',
  summary: 'Change the keys of a role by a new root file, signed by enough root keys, old and new.',
  description:
    'With all keys in one folder this is one command. Else --prepare writes a draft, each holder of a root key runs ' +
    'vmpkg repo sign-root on it, and --finish publishes it. Without --add and --remove the root file is renewed.',
  options: [
    { flags: '--role <role>', summary: 'root, timestamp, promoter or publisher' },
    { flags: '--add <key>...', summary: 'a key by name, or the file of a certificate (repeatable)' },
    { flags: '--remove <key>...', summary: 'a key by name or fingerprint (repeatable)' },
    { flags: '--threshold <count>', summary: 'how many of the role must sign' },
    { flags: '--patterns <names>', summary: 'publishers: the package names, as in router-*,app-*' },
    { flags: '--prepare <file>', summary: 'write a draft for the holders to sign' },
    { flags: '--finish <file>', summary: 'publish a draft that enough have signed' },
    { flags: '--keys <folder>', summary: 'folder with the secret keys' },
    { flags: '--dry-run', summary: 'show what would happen, change nothing' },
  ],
  examples: [
    'vmpkg repo rotate-key ./registry --role timestamp --add t2 --remove t1 --keys ./keys',
    'vmpkg repo rotate-key ./registry --role root --add d.asc --remove a --prepare root.draft',
    'vmpkg repo rotate-key ./registry --finish root.draft --keys ./keys',
  ],
  async run({ args, options, io }) {
    const [registry = ''] = args
    const report = await rotateKey(await io.workspace(), {
      registry,
      role: optionText(options, 'role'),
      add: optionList(options, 'add'),
      remove: optionList(options, 'remove'),
      threshold: optionText(options, 'threshold'),
      patterns: optionText(options, 'patterns'),
      prepare: optionText(options, 'prepare'),
      finish: optionText(options, 'finish'),
      keys: optionText(options, 'keys'),
      dryRun: io.dryRun,
      passphrase: () => io.passphrase('Passphrase of the keys'),
    })
    if (io.json) io.printJson('repo-rotate-key', { ...report })
    else for (const line of [...report.changes, ...report.messages]) io.print(line)
    return 0
  },
}
