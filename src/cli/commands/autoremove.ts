import { planRemove } from '../../operations/remove.ts'
import { type CommandSpec, optionText } from '../command.ts'
import { CHANGE_OPTIONS, runPlan } from '../plan.ts'

export const command: CommandSpec = {
  args: '',
  summary: 'Remove what was installed automatically and nothing needs any more.',
  options: [{ flags: '--purge', summary: 'also forget the values set for them' }, ...CHANGE_OPTIONS],
  examples: ['vmpkg autoremove', 'vmpkg autoremove --dry-run'],
  async run({ options, io }) {
    const workspace = await io.workspace({ write: io.dryRun ? false : 'late' })
    const plan = await planRemove(workspace, {
      names: [],
      purge: options['purge'] === true,
      autoremove: true,
      comment: optionText(options, 'comment'),
    })
    return runPlan(io, workspace, plan, { name: 'autoremove', options, nothing: 'Everything installed is needed' })
  },
}
