import { listTuned, undoTune } from '../../operations/tune.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '',
  summary: 'Write back what tune apply changed.',
  description: 'What somebody else has changed since is left alone, and said. Needs root.',
  options: [{ flags: '--dry-run', summary: 'print what would be written back' }],
  examples: ['vmpkg tune undo', 'vmpkg tune undo --dry-run'],
  async run({ io }) {
    const workspace = await io.workspace({ write: !io.dryRun })
    if (io.dryRun) {
      const tuned = await listTuned(workspace)
      if (io.json) io.printJson('tune-undo', { dryRun: true, restored: tuned, left: [] })
      else for (const { file, before } of tuned) io.print(`Would write ${before} into ${file}`)
      return 0
    }
    const { restored, left } = await undoTune(workspace)
    if (io.json) io.printJson('tune-undo', { dryRun: false, restored, left })
    else {
      io.print(restored.length === 0 ? 'Nothing to write back' : `Wrote back ${restored.length} settings`)
      for (const { file, reason } of left) io.note(`Left ${file}: ${reason}`, 'careful')
    }
    return 0
  },
}
