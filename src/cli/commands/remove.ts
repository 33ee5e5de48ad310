import { applyRemove, planRemove } from '../../operations/remove.ts'
import type { CommandSpec } from '../command.ts'
import { printPlan } from '../plan.ts'

export const command: CommandSpec = {
  args: '<package...>',
  summary:
    'Remove packages: their machines, networks and files. Images that clones still use stay until the last clone is gone.',
  options: [{ flags: '--dry-run', summary: 'print the plan and stop' }],
  examples: ['vmpkg remove router-uni', 'vmpkg remove -y app-console'],
  async run({ args, io }) {
    const workspace = await io.workspace({ write: !io.dryRun })
    const plan = await planRemove(workspace, args)
    if (io.json && io.dryRun) io.printJson('plan', { ...plan.summary })
    else if (!io.json || !io.assumeYes) printPlan(io, plan.summary)
    if (io.dryRun) return 0
    if (!(await io.confirm('Continue?'))) return 1
    const result = await applyRemove(workspace, plan)
    if (io.json) io.printJson('remove', { ...result })
    else for (const line of result.messages) io.print(line)
    return 0
  },
}
