import { initRegistry } from '../../operations/repo-init.ts'
import { type CommandSpec, optionList, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<folder>',
  summary: 'Make an empty, signed registry: root file, roles, index and envelope. Any web server can host the folder.',
  options: [
    { flags: '--keys <folder>', summary: 'folder with the secret keys' },
    { flags: '--root-key <key>...', summary: 'a root key by name (repeatable)' },
    { flags: '--threshold <count>', summary: 'how many root keys must sign (default: more than half)' },
    {
      flags: '--publisher <key=pattern,...>...',
      summary: 'a publisher and the package names it may sign (repeatable)',
    },
    { flags: '--promoter <key>...', summary: 'a key that may sign channels (repeatable)' },
    { flags: '--timestamp <key>...', summary: 'a key that signs the envelope (repeatable)' },
    { flags: '--days <count>', summary: 'life of an envelope (default 14)' },
    { flags: '--dry-run', summary: 'show what would happen, change nothing' },
  ],
  examples: [
    "vmpkg repo init ./registry --keys ./keys --root-key a --root-key b --root-key c --threshold 2 --publisher 'me=*' --promoter p --timestamp t",
  ],
  async run({ args, options, io }) {
    const [folder = ''] = args
    const result = await initRegistry(await io.workspace(), {
      folder,
      keys: optionText(options, 'keys'),
      roots: optionList(options, 'rootKey'),
      threshold: optionText(options, 'threshold'),
      publishers: optionList(options, 'publisher'),
      promoters: optionList(options, 'promoter'),
      timestamps: optionList(options, 'timestamp'),
      days: optionText(options, 'days'),
      dryRun: io.dryRun,
      passphrase: () => io.passphrase('Passphrase of the keys'),
    })
    if (io.json) io.printJson('registry', { ...result })
    else {
      io.print(`${io.dryRun ? 'Would make a registry' : `Made registry ${result.registryId}`} in ${folder}`)
      for (const key of result.rootKeys) io.print(`Root key ${key}`)
      io.note(`${result.threshold} of its ${result.rootKeys.length} root keys must sign a root file`)
    }
    return 0
  },
}
