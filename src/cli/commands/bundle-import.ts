import { importBundle } from '../../operations/bundle-import.ts'
import { type CommandSpec, optionList, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<file>',
  summary: 'Take in a bundle: verify it like the registry itself, keep its packages for install.',
  description:
    'Nothing is installed. The packages stay until vmpkg gc, and install finds them\n' +
    'without a network. A bundle that is older than what this host has seen of the\n' +
    'registry is refused.',
  options: [
    { flags: '--source <name>', summary: 'the source it belongs to, or the name of the new one' },
    { flags: '--root-file <file>', summary: 'for a new source: the registry’s root file, from a place you trust' },
    { flags: '--fingerprint <fingerprint>...', summary: 'for a new source: fingerprint of a root key (repeatable)' },
    { flags: '--url <url>', summary: 'for a new source: its address (default: what the bundle says)' },
    { flags: '--expiry <policy>', summary: 'for a new source: strict, grace or snapshot (default strict)' },
  ],
  examples: [
    'vmpkg bundle import uni.vmbundle',
    'vmpkg bundle import uni.vmbundle --source example --root-file root.json',
  ],
  async run({ args, options, io }) {
    const [file = ''] = args
    const report = await importBundle(await io.workspace({ write: true }), {
      file,
      source: optionText(options, 'source'),
      rootFile: optionText(options, 'rootFile'),
      fingerprints: optionList(options, 'fingerprint'),
      url: optionText(options, 'url'),
      expiry: optionText(options, 'expiry'),
    })
    if (io.json) io.printJson('bundle-import', { ...report })
    else {
      if (report.added) io.print(`Added source ${report.source}`)
      for (const { name, version } of report.packages) io.print(`Imported ${name} ${version} from ${report.source}`)
      if (report.packages.length === 0) io.print('The bundle holds no package for this host')
    }
    return 0
  },
}
