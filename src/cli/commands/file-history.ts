import { fileHistory } from '../../operations/file-history.ts'
import type { CommandSpec } from '../command.ts'
import { DISK_OPTIONS, describeEntry, fileRequest, formatLocal, pointJson, SIZE_OPTION } from '../file-options.ts'

export const command: CommandSpec = {
  args: '<machine> <path>',
  summary: 'Show every version of a file that the disks of a machine still hold, without starting it.',
  description:
    'Versions are told apart by their content. The points in time are the snapshots of the machine, the layers below its disk, and now.',
  options: [...DISK_OPTIONS, SIZE_OPTION],
  examples: ['vmpkg file history demo /etc/hosts', 'vmpkg file history demo /notes.txt --partition 3 --json'],
  async run({ args, options, io }) {
    const found = await fileHistory(await io.workspace(), fileRequest(args, options))
    for (const warning of found.warnings) io.note(warning, 'careful')
    if (found.isPresentMissing) io.note(`${args[0]} is running: its present is left out (--live reads it)`)
    if (io.json) {
      io.printJson('file-history', {
        machine: args[0],
        path: found.path,
        disk: found.disk,
        partition: found.partition,
        filesystem: found.filesystem,
        versions: found.versions.map(({ entry, first, last, count }) => ({
          ...entry,
          first: pointJson(first),
          last: pointJson(last),
          points: count,
        })),
        isPresentMissing: found.isPresentMissing,
        warnings: found.warnings,
      })
      return 0
    }
    io.printTable(
      ['SINCE', 'POINT', 'POINTS', 'SIZE', 'MODE', 'SHA-256'],
      found.versions.map(({ entry, first, count }) => [
        formatLocal(first.time),
        first.name,
        String(count),
        ...describeEntry(entry),
      ]),
    )
    return 0
  },
}
