import { applyTune, planTune } from '../../operations/tune.ts'
import { type CommandSpec, optionList, optionText } from '../command.ts'
import { printTunePlan, TUNE_OPTIONS } from '../tune.ts'

export const command: CommandSpec = {
  args: '',
  summary: 'Make guests steadier on this host, until the next boot or tune undo.',
  description: 'Shows the difference and asks. Every old value is on disk before the first one is changed. Needs root.',
  options: [...TUNE_OPTIONS, { flags: '--dry-run', summary: 'print what would be written' }],
  examples: ['vmpkg tune apply', 'vmpkg tune apply --pins 2-5 -y'],
  async run({ options, io }) {
    const request = { pins: optionText(options, 'pins'), machines: optionList(options, 'machine') }
    const workspace = await io.workspace({ write: !io.dryRun })
    const plan = await planTune(workspace, request)
    if (!io.json) printTunePlan(io, plan)
    if (io.dryRun || plan.changes.length === 0) {
      if (io.json) io.printJson('tune', { dryRun: io.dryRun, written: [], refused: [], ...plan })
      return 0
    }
    if (!(await io.confirm('Write these?'))) return 1
    const { written, refused } = await applyTune(workspace, plan)
    if (io.json) io.printJson('tune', { dryRun: false, written, refused, notes: plan.notes })
    else {
      io.print(`Wrote ${written.length} settings; vmpkg tune undo takes them back`)
      for (const { file, reason } of refused) io.note(`The kernel refused ${file}: ${reason}`, 'careful')
    }
    return 0
  },
}
