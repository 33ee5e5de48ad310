import { diffFile } from '../../operations/file-diff.ts'
import type { FoundFile } from '../../operations/file-get.ts'
import { type CommandSpec, optionText } from '../command.ts'
import { DISK_OPTIONS, fileRequest, pointJson, SIZE_OPTION } from '../file-options.ts'

export const command: CommandSpec = {
  args: '<machine> <path>',
  summary: 'Show what changed in a file of a machine between two points in time, without starting it.',
  description: 'Without points: what its last version changed. The status is 0 where nothing differs, else 1.',
  options: [
    { flags: '--from <when>', summary: 'the older point: a snapshot, a time, or how long ago' },
    { flags: '--to <when>', summary: 'the newer point' },
    ...DISK_OPTIONS,
    SIZE_OPTION,
  ],
  examples: ['vmpkg file diff demo /etc/hosts', 'vmpkg file diff demo /etc/fstab --from first --to now'],
  async run({ args, options, io }) {
    const found = await diffFile(await io.workspace(), {
      ...fileRequest(args, options),
      from: optionText(options, 'from'),
      to: optionText(options, 'to'),
    })
    if (io.json) {
      io.printJson('file-diff', {
        path: found.path,
        from: describe(found.from),
        to: describe(found.to),
        isSame: found.isSame,
        text: found.text ?? null,
      })
    } else if (found.isSame) io.note(`${found.path} is the same`)
    else io.print(found.text?.trimEnd() ?? `${line(found.from)}\n${line(found.to)}`)
    return found.isSame ? 0 : 1
  },
}

function describe(found: FoundFile | undefined): Readonly<Record<string, unknown>> | null {
  return found === undefined ? null : { point: pointJson(found.point), ...found.entry }
}

/** For what is no text. */
function line(found: FoundFile | undefined): string {
  if (found === undefined) return 'not there'
  return `${found.point.name}: ${found.entry.size} bytes, SHA-256 ${found.entry.sha256}`
}
