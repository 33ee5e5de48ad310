import { planRemove } from '../../operations/remove.ts'
import { type CommandSpec, optionText } from '../command.ts'
import { CHANGE_OPTIONS, runPlan } from '../plan.ts'

export const command: CommandSpec = {
  args: '<package...>',
  summary: 'Remove packages with what depends on them: their machines, networks and files.',
  description:
    'Images that clones still use stay until the last clone is gone. The values that\n' +
    'you set are kept for a later install; vmpkg purge drops them as well.',
  options: [
    { flags: '--autoremove', summary: 'also what was installed automatically and nothing needs now' },
    ...CHANGE_OPTIONS,
  ],
  examples: ['vmpkg remove router-uni', 'vmpkg remove -y --autoremove app-console'],
  async run({ args, options, io }) {
    const workspace = await io.workspace({ write: io.dryRun ? false : 'late' })
    const plan = await planRemove(workspace, {
      names: args,
      purge: false,
      autoremove: options['autoremove'] === true,
      comment: optionText(options, 'comment'),
    })
    return runPlan(io, workspace, plan, { name: 'remove', options, nothing: 'Nothing to remove' })
  },
}
