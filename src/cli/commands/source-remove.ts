import { removeSource } from '../../operations/source-remove.ts'
import { describeSource } from '../../operations/source-show.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '<name>',
  summary:
    'Stop trusting a registry. Installed packages stay; its high-water marks are kept, in case it is added again.',
  options: [
    { flags: '--forget', summary: 'forget also what was seen of its registry: older versions of it pass again' },
    { flags: '--dry-run', summary: 'say what would be removed and stop' },
  ],
  examples: ['vmpkg source remove example', 'vmpkg source remove --forget example'],
  async run({ args, options, io }) {
    const [name = ''] = args
    const forget = options['forget'] === true
    const workspace = await io.workspace({ write: !io.dryRun })
    if (io.dryRun) {
      const { url } = await describeSource(workspace, name)
      if (io.json) io.printJson('source-removed', { name, url, dryRun: true })
      else io.print(`Would remove source ${name}, ${url}${forget ? ', and forget what was seen of it' : ''}`)
      return 0
    }
    if (forget && !(await io.confirm(`Forget every version seen of ${name}? Older ones will pass again.`))) return 1
    await removeSource(workspace, name, { forget })
    if (io.json) io.printJson('source-removed', { name })
    else io.print(`Removed source ${name}`)
    return 0
  },
}
