import { collectRegistryGarbage } from '../../operations/repo-gc.ts'
import { type CommandSpec, optionText } from '../command.ts'
import { formatBytes } from '../table.ts'

export const command: CommandSpec = {
  args: '<registry>',
  summary: 'Remove files that no version, snapshot or waiting submission needs. Root files always stay.',
  description:
    'The registry is a folder of this host, or oci://host/repository: there artifacts are removed, and the server’s own garbage collection frees what they named.',
  options: [
    { flags: '--keep-days <count>', summary: 'keep versions that were current in so many days (default 7)' },
    { flags: '--keep-hours <count>', summary: 'keep files of a folder younger than that (default 24)' },
    { flags: '--dry-run', summary: 'show what would happen, change nothing' },
  ],
  examples: [
    'vmpkg repo gc ./registry --dry-run',
    'vmpkg repo gc ./registry --keep-days 30',
    'vmpkg repo gc oci://registry.example.org/team/vmpkg',
  ],
  async run({ args, options, io }) {
    const [registry = ''] = args
    const result = await collectRegistryGarbage(await io.workspace(), {
      registry,
      keepDays: optionText(options, 'keepDays'),
      keepHours: optionText(options, 'keepHours'),
      dryRun: io.dryRun,
    })
    if (io.json) io.printJson('repo-gc', { ...result, dryRun: io.dryRun })
    else {
      for (const { path, size } of result.removed) io.print(`${path}\t${size}`)
      const verb = io.dryRun ? 'Would remove' : 'Removed'
      io.note(`${verb} ${result.removed.length} files, ${formatBytes(result.freedBytes)}`)
      io.note(`Kept ${result.versions} former versions, ${result.snapshots} snapshots, ${result.young} young files`)
    }
    return 0
  },
}
