import { once } from 'node:events'
import { VmpkgError } from '../../errors.ts'
import { type FoundFile, getFile, readFileAt } from '../../operations/file-get.ts'
import { type CommandSpec, optionText } from '../command.ts'
import { AT_OPTION, DISK_OPTIONS, fileRequest, formatLocal, pointJson, SIZE_OPTION } from '../file-options.ts'

export const command: CommandSpec = {
  args: '<machine> <path>',
  summary: 'Bring a file of a machine back as it was at a point in time, without starting the machine.',
  description:
    'The machine is not changed. A time means the last point in time before it. Links and devices are not followed.',
  options: [
    AT_OPTION,
    { flags: '-o, --output <file>', summary: 'where to write it; - for standard output (default: its name, here)' },
    { flags: '-f, --force', summary: 'replace a file that is there' },
    ...DISK_OPTIONS,
    SIZE_OPTION,
  ],
  examples: [
    'vmpkg file get demo /etc/hosts --at before-upgrade',
    'vmpkg file get demo /home/user/notes.txt --at 2d --output notes-old.txt',
  ],
  async run({ args, options, io }) {
    const output = optionText(options, 'output')
    const request = { ...fileRequest(args, options), at: optionText(options, 'at') }
    const workspace = await io.workspace()
    if (output === '-') {
      if (io.stdout.isTTY) {
        throw new VmpkgError('USAGE', 'A terminal would obey what a file of a guest contains', {
          hint: 'Pipe it into a program, or write it to a file with --output FILE.',
        })
      }
      await readFileAt(workspace, request, async () => async (bytes) => {
        if (!io.stdout.write(bytes)) await once(io.stdout, 'drain')
      })
      return 0
    }
    const got = await getFile(workspace, { ...request, output, force: options['force'] === true })
    if (io.json) io.printJson('file-get', { ...describeFound(got), file: got.file })
    else {
      const { point, entry } = got
      io.print(
        `${got.file}: ${entry.size} bytes as of ${point.name} (${formatLocal(point.time)}), SHA-256 ${entry.sha256}`,
      )
    }
    return 0
  },
}

function describeFound({ path, disk, partition, point, entry }: FoundFile): Readonly<Record<string, unknown>> {
  return { path, disk, partition, point: pointJson(point), ...entry }
}
