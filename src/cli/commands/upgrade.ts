import { planUpgrade } from '../../operations/install.ts'
import { type CommandSpec, optionText } from '../command.ts'
import { grantOptions } from '../grants.ts'
import { CHANGE_OPTIONS, conflictSide, DEFINITION_OPTIONS, runPlan, startOptions } from '../plan.ts'

export const command: CommandSpec = {
  args: '[package...]',
  summary: 'Upgrade installed packages to the newest versions of their sources, all or those named.',
  description:
    'A router keeps its UUID, MACs and networks, and what you changed with virsh or\n' +
    'virt-manager is merged into its new definition. A running machine goes on as it\n' +
    'is until it is restarted; --restart does that at once. Capabilities that a new\n' +
    'version asks for in addition are asked for again, and -y does not grant them.',
  options: [
    { flags: '--grant <capability>...', summary: 'grant a capability that a package asks for (repeatable)' },
    ...DEFINITION_OPTIONS,
    ...CHANGE_OPTIONS,
  ],
  examples: ['vmpkg upgrade', 'vmpkg upgrade --dry-run --diff', 'vmpkg upgrade router-uni --restart -y'],
  async run({ args, options, io }) {
    const workspace = await io.workspace({ write: io.dryRun ? false : 'late' })
    const plan = await planUpgrade(workspace, {
      names: args,
      set: [],
      profiles: [],
      grants: grantOptions(options),
      ...startOptions(options),
      conflict: conflictSide(options),
      comment: optionText(options, 'comment'),
    })
    return runPlan(io, workspace, plan, { name: 'upgrade', options, nothing: 'Everything is up to date' })
  },
}
