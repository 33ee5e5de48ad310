import { listFiles } from '../../operations/file-list.ts'
import { type CommandSpec, optionText } from '../command.ts'
import { AT_OPTION, DISK_OPTIONS, fileRequest, formatLocal, pointJson } from '../file-options.ts'

export const command: CommandSpec = {
  args: '<machine> [folder]',
  summary: 'List a folder of a machine as it was at a point in time, without starting the machine.',
  options: [AT_OPTION, ...DISK_OPTIONS],
  examples: ['vmpkg file list demo /etc', 'vmpkg file list demo /home/user --at 2026-05-01T20:00'],
  async run({ args: [machine = '', folder = '/'], options, io }) {
    const request = { ...fileRequest([machine, folder], options), at: optionText(options, 'at') }
    const found = await listFiles(await io.workspace(), request)
    const { path, disk, partition, point, entries } = found
    if (io.json) io.printJson('file-list', { path, disk, partition, point: pointJson(point), entries })
    else {
      io.note(`${path} on ${disk} as of ${point.name} (${formatLocal(point.time)})`)
      const rows = entries.map(({ name, state, size }) => [state, size === undefined ? '-' : String(size), name])
      io.printTable(['TYPE', 'SIZE', 'NAME'], rows)
    }
    return 0
  },
}
