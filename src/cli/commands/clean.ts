import { parseSize } from '../../model/size.ts'
import { clean, storeBytes } from '../../operations/clean.ts'
import { type CommandSpec, optionText, WAIT_OPTION } from '../command.ts'
import { formatBytes } from '../table.ts'

/** The first digits of a digest are enough for a person; `--json` has it whole. */
const DIGEST = /\b([0-9a-f]{12})[0-9a-f]{52}\b/

export const command: CommandSpec = {
  args: '',
  summary: 'Free what can be had again: former versions, unused archives and images, unfinished downloads.',
  description:
    'What installed packages, clones and running machines need stays. Former versions\n' +
    'are kept for vmpkg history undo: after clean it has to fetch them again.',
  options: [
    { flags: '--max-size <size>', summary: 'keep former versions while images and archives take no more than this' },
    { flags: '--all', summary: 'also the package lists; vmpkg update fetches them again' },
    WAIT_OPTION,
    { flags: '--dry-run', summary: 'print what would go' },
  ],
  examples: ['vmpkg clean', 'vmpkg clean --max-size 20GiB', 'vmpkg clean --all --dry-run'],
  async run({ options, io }) {
    const workspace = await io.workspace({ write: !io.dryRun, relief: !io.dryRun })
    const limit = optionText(options, 'maxSize')
    const maxBytes = limit === undefined ? undefined : parseSize(limit)
    const removed = await clean(workspace, { dryRun: io.dryRun, all: options['all'] === true, maxBytes })
    const freedBytes = removed.reduce((sum, { bytes }) => sum + bytes, 0)
    if (io.json) io.printJson('clean', { dryRun: io.dryRun, removed, freedBytes })
    else {
      for (const { what, subject, bytes } of removed)
        io.print(
          `${io.dryRun ? 'Would remove' : 'Removed'} ${what} ${subject.replace(DIGEST, '$1')} (${formatBytes(bytes)})`,
        )
      io.print(`${io.dryRun ? 'Would free' : 'Freed'} ${formatBytes(freedBytes)}`)
    }
    const left = maxBytes === undefined || io.dryRun ? 0 : await storeBytes(workspace)
    if (maxBytes !== undefined && left > maxBytes) {
      io.note(`The store still takes ${formatBytes(left)}, all of it in use: vmpkg show --disk says by whom`, 'careful')
      return 1
    }
    return 0
  },
}
