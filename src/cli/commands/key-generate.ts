import { generateKeyFile } from '../../operations/key-generate.ts'
import { type CommandSpec, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<name>',
  summary: 'Make an OpenPGP signing key (Ed25519) in a key folder: a 0600 secret key and its certificate.',
  options: [
    { flags: '--keys <folder>', summary: 'key folder (default: keys/ below vmpkg’s configuration)' },
    { flags: '--expires <days>', summary: 'life of the key in days (default: no end)' },
    { flags: '--no-passphrase', summary: 'do not encrypt the secret key; else VMPKG_PASSPHRASE or a prompt gives it' },
  ],
  examples: ['vmpkg key generate publisher', 'vmpkg key generate timestamp --keys ./keys --no-passphrase'],
  async run({ args, options, io }) {
    const [name = ''] = args
    const key = await generateKeyFile(await io.workspace({ write: true }), {
      name,
      folder: optionText(options, 'keys'),
      expiresDays: optionText(options, 'expires'),
      passphrase: options['passphrase'] === false ? undefined : await io.passphrase(`Passphrase for ${name}`),
    })
    if (io.json) io.printJson('key', { ...key })
    else {
      io.print(`${key.fingerprint}  ${key.name}`)
      io.note(`Secret key ${key.secretFile} (keep it safe), certificate ${key.certificateFile}`)
    }
    return 0
  },
}
