/** What `history undo`, `redo` and `rollback` have in common: everything but the words of their help. */
import { planReversion, type Reversion } from '../operations/revert.ts'
import { type CommandSpec, optionText } from './command.ts'
import { historyId } from './history-id.ts'
import { conflictSide, runPlan, startOptions } from './plan.ts'

/** @returns the exit status */
export async function runReversion(
  kind: Reversion,
  { args, options, io }: Parameters<CommandSpec['run']>[0],
): Promise<number> {
  const workspace = await io.workspace({ write: io.dryRun ? false : 'late' })
  const plan = await planReversion(workspace, kind, historyId(args[0]), {
    set: [],
    profiles: [],
    grants: [],
    ...startOptions(options),
    conflict: conflictSide(options),
    comment: optionText(options, 'comment'),
  })
  return runPlan(io, workspace, plan, { name: `history-${kind}`, options, nothing: 'Everything is so already' })
}
