import { planHost } from '../../operations/host-plan.ts'
import { type CommandSpec, optionText } from '../command.ts'
import { hostPlanJson, printHostPlan, WISH_OPTIONS, wishesOf } from '../host-options.ts'

export const command: CommandSpec = {
  args: '',
  summary: 'Show what this host needs for devices in guests: files, commands, risks.',
  description:
    'Prints the difference of every file that host apply would change: kernel command line, modules, udev rules, ' +
    'limits, bridges. Nothing is changed. What earlier calls of host apply asked for is kept. Exit status 1 when ' +
    'nothing has to change.',
  options: WISH_OPTIONS,
  examples: [
    'vmpkg host plan',
    'vmpkg host plan --device 0000:03:00.0 --user ann',
    'vmpkg host plan --device 01:00 --late',
  ],
  async run({ options, io }) {
    const target = optionText(options, 'target')
    const plan = await planHost({ target, wishes: wishesOf(options), replace: options['replace'] === true })
    if (io.json) io.printJson('host-plan', hostPlanJson(plan))
    else {
      printHostPlan(io, plan)
      if (plan.diffs.length === 0) io.note('The files of this host are as they should be.', 'good')
    }
    return plan.diffs.length > 0 ? 0 : 1
  },
}
