import { downloadForLater, measureDownload } from '../../operations/download.ts'
import { chooseDownloads } from '../../operations/download-candidates.ts'
import { describeDownloads } from '../../operations/download-report.ts'
import type { CommandSpec } from '../command.ts'
import { formatBytes } from '../table.ts'

export const command: CommandSpec = {
  args: '<package...>',
  summary: 'Fetch packages and their images into the store without installing them.',
  description:
    'Everything is verified as for install. What was fetched stays until vmpkg gc,\n' +
    'so that a later install needs no network. An interrupted download goes on\n' +
    'where it was; several vmpkg that want the same file make one download.',
  options: [
    { flags: '--with-depends', summary: 'also what the packages depend on' },
    { flags: '--dry-run', summary: 'print what is missing and stop' },
  ],
  examples: ['vmpkg download router-uni', 'vmpkg download --with-depends app-console=1.0-1'],
  async run({ args, options, io }) {
    const workspace = await io.workspace()
    const candidates = chooseDownloads(workspace, { requests: args, withDepends: options['withDepends'] === true })
    const sizes = await measureDownload(workspace, candidates)
    if (!io.dryRun) await downloadForLater(workspace, candidates)
    const packages = describeDownloads(workspace, candidates)
    if (io.json) {
      io.printJson('download', { dryRun: io.dryRun, ...sizes, packages })
      return 0
    }
    for (const { name, version } of packages) io.print(`${io.dryRun ? 'Would have' : 'Have'} ${name} ${version}`)
    const { downloadBytes, diskBytes } = sizes
    if (io.dryRun) io.note(`Download ${formatBytes(downloadBytes)}, disk space ${formatBytes(diskBytes)}`)
    return 0
  },
}
