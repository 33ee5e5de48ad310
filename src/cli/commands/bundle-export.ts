import { formatTime } from '../../model/shape.ts'
import { exportBundle } from '../../operations/bundle-export.ts'
import { type CommandSpec, optionText } from '../command.ts'
import { formatBytes } from '../table.ts'

export const command: CommandSpec = {
  args: '<file> [package...]',
  summary: 'Write packages with their proofs into one file, for hosts without a network.',
  description:
    'The file holds the root chain, the signed lists and the packages of one source.\n' +
    "It is verified again by whoever imports it, and is good as long as the registry's\n" +
    'envelope is.',
  options: [
    { flags: '--with-depends', summary: 'also what the packages depend on' },
    { flags: '--from-installed', summary: 'also what is installed here, in its installed versions' },
    { flags: '--source <name>', summary: 'the source to take them from (needed where there are several)' },
  ],
  examples: [
    'vmpkg bundle export uni.vmbundle router-uni',
    'vmpkg bundle export all.vmbundle --from-installed --with-depends --source example',
  ],
  async run({ args, options, io }) {
    const [file = '', ...packages] = args
    const report = await exportBundle(await io.workspace({ write: true }), {
      file,
      packages,
      withDepends: options['withDepends'] === true,
      fromInstalled: options['fromInstalled'] === true,
      source: optionText(options, 'source'),
    })
    if (io.json) io.printJson('bundle-export', { ...report })
    else {
      const names = report.packages.map(({ name, version }) => `${name} ${version}`).join(', ')
      io.print(`Wrote ${report.file} (${formatBytes(report.sizeBytes)}): ${names}`)
      io.print(`Good until ${formatTime(new Date(report.expiresAt))}`)
    }
    return 0
  },
}
