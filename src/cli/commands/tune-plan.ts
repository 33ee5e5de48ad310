import { planTune } from '../../operations/tune.ts'
import { type CommandSpec, optionList, optionText } from '../command.ts'
import { printTunePlan, TUNE_OPTIONS } from '../tune.ts'

export const command: CommandSpec = {
  args: '',
  summary: 'Show what would make guests steadier on this host.',
  description: 'The difference of files below /sys and /proc. Exit status 1 when there is nothing to change.',
  options: TUNE_OPTIONS,
  examples: ['vmpkg tune plan', 'vmpkg tune plan --pins 2-5', 'vmpkg tune plan --machine desktop --json'],
  async run({ options, io }) {
    const request = { pins: optionText(options, 'pins'), machines: optionList(options, 'machine') }
    const plan = await planTune(await io.workspace(), request)
    if (io.json) io.printJson('tune-plan', { ...plan })
    else printTunePlan(io, plan)
    return plan.changes.length > 0 ? 0 : 1
  },
}
