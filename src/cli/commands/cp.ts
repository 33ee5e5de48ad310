import { copyFiles } from '../../operations/copy.ts'
import type { CommandSpec } from '../command.ts'
import { formatBytes } from '../table.ts'

export const command: CommandSpec = {
  args: '<source> <destination>',
  summary: 'Copy files into a machine, out of it, or from one to another.',
  description:
    'MACHINE:PATH names a file of a guest, by its absolute path; anything else is a\n' +
    'file of this host (./a:b for one with a colon). It goes by the guest’s agent:\n' +
    'modes are kept, holes stay holes, and each file is compared by its digest before\n' +
    'it gets its name. Out of a guest come files, folders and links within what is\n' +
    'copied; whatever else there is is named and left out, and the status is 1.',
  options: [{ flags: '-r, --recursive', summary: 'folders, with all that is in them' }],
  examples: ['vmpkg cp notes.txt demo:/root/', 'vmpkg cp -r demo:/etc ./etc-of-demo', 'vmpkg cp demo:/a other:/b'],
  async run({ args, options, io }) {
    const [from = '', to = ''] = args
    const result = await copyFiles(await io.workspace(), { from, to, isRecursive: options['recursive'] === true })
    const { files, bytes, skipped } = result
    if (io.json) io.printJson('cp', { from, to, ...result })
    else io.print(`Copied ${files} ${files === 1 ? 'file' : 'files'}, ${formatBytes(bytes)}`)
    for (const { path, reason } of skipped) io.note(`Left out ${path === '' ? from : path}: ${reason}`, 'careful')
    return skipped.length > 0 ? 1 : 0
  },
}
