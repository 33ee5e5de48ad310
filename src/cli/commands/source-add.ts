import { addSource } from '../../operations/source-add.ts'
import { type CommandSpec, optionList, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<name> <url>',
  summary: 'Trust a registry. Its root keys must be named: by a root file that you got safely, or by fingerprints.',
  options: [
    { flags: '--root-file <file>', summary: 'the registry’s root file, from a place you trust' },
    { flags: '--fingerprint <fingerprint>...', summary: 'full fingerprint of a root key (repeatable)' },
    {
      flags: '--mirror <url>...',
      summary: 'another place with the same files, asked when the others fail (repeatable)',
    },
    {
      flags: '--proxy <url>',
      summary: 'reach it through this proxy; none for no proxy (default: http_proxy and https_proxy)',
    },
    { flags: '--expiry <policy>', summary: 'strict, grace or snapshot (default strict)' },
  ],
  examples: [
    'vmpkg source add example ./registry --root-file ./registry/root/1.json',
    'vmpkg source add example https://a.example.org/vmpkg --mirror https://b.example.net/vmpkg --root-file root.json',
    'vmpkg source add example https://packages.example.org/vmpkg --fingerprint 0123456789ABCDEF0123456789ABCDEF01234567',
  ],
  async run({ args, options, io }) {
    const [name = '', url = ''] = args
    const workspace = await io.workspace({ write: true })
    const source = await addSource(workspace, {
      name,
      url,
      rootFile: optionText(options, 'rootFile'),
      fingerprints: optionList(options, 'fingerprint'),
      mirrors: optionList(options, 'mirror'),
      proxy: optionText(options, 'proxy'),
      expiry: optionText(options, 'expiry'),
    })
    if (io.json) io.printJson('source', { ...source })
    else io.print(`Added source ${source.name}; run vmpkg update to fetch its package list`)
    return 0
  },
}
