import { mirrorRegistry } from '../../operations/repo-mirror.ts'
import { type CommandSpec, optionList, optionText } from '../command.ts'
import { formatBytes } from '../table.ts'

export const command: CommandSpec = {
  args: '<url> <folder>',
  summary: 'Keep a verified copy of a registry. Fetches what is missing; readers see the old or the new version.',
  description:
    'The folder remembers what it has seen, so a mirror refuses rollback as a client does. Safe from a timer.',
  options: [
    { flags: '--root-file <file>', summary: 'the first time: the registry’s root file' },
    { flags: '--fingerprint <fingerprint>...', summary: 'the first time: a root key (repeatable)' },
    { flags: '--packages <names>', summary: 'only the data of these, as in router-uni,app-*' },
    { flags: '--keep-days <count>', summary: 'then remove what was not current in so many days' },
    { flags: '--dry-run', summary: 'show what would happen, change nothing' },
  ],
  examples: [
    'vmpkg repo mirror https://packages.example.org/vmpkg /srv/www/vmpkg --root-file 1.json',
    'vmpkg repo mirror https://packages.example.org/vmpkg /srv/www/vmpkg --keep-days 7',
  ],
  async run({ args, options, io }) {
    const [url = '', folder = ''] = args
    const report = await mirrorRegistry(await io.workspace(), {
      url,
      folder,
      rootFile: optionText(options, 'rootFile'),
      fingerprints: optionList(options, 'fingerprint'),
      packages: optionText(options, 'packages')?.split(',') ?? [],
      keepDays: optionText(options, 'keepDays'),
      dryRun: io.dryRun,
    })
    if (io.json) io.printJson('repo-mirror', { ...report })
    else {
      const amount = `${report.fetched.length} files, ${formatBytes(report.fetchedBytes)}`
      const verb = io.dryRun ? 'Would fetch at least' : 'Fetched'
      io.print(`Version ${report.version}${report.changed ? '' : ' (no change)'}: ${verb.toLowerCase()} ${amount}`)
      if (report.removed > 0) io.print(`Removed ${report.removed} files that nobody needs`)
    }
    return 0
  },
}
