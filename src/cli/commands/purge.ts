import { planRemove } from '../../operations/remove.ts'
import { type CommandSpec, optionText } from '../command.ts'
import { CHANGE_OPTIONS, runPlan } from '../plan.ts'

export const command: CommandSpec = {
  args: '<package...>',
  summary: 'Remove packages and forget the values that you set for them.',
  description: 'Also for packages that were removed before. What is kept of them for the history goes as well.',
  options: [
    { flags: '--autoremove', summary: 'also what was installed automatically and nothing needs now' },
    ...CHANGE_OPTIONS,
  ],
  examples: ['vmpkg purge router-uni'],
  async run({ args, options, io }) {
    const workspace = await io.workspace({ write: io.dryRun ? false : 'late' })
    const plan = await planRemove(workspace, {
      names: args,
      purge: true,
      autoremove: options['autoremove'] === true,
      comment: optionText(options, 'comment'),
    })
    return runPlan(io, workspace, plan, { name: 'purge', options, nothing: 'Nothing to remove' })
  },
}
