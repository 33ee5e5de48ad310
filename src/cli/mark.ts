/** What `mark`, `hold` and `unhold` have in common: a mark takes effect without a question, for it is taken back as easily. */
import { type Mark, markPackages, planMark } from '../operations/mark.ts'
import { type Io, type OptionSpec, type OptionValues, WAIT_OPTION } from './command.ts'
import { runPlan } from './plan.ts'

export const MARK_OPTIONS: readonly OptionSpec[] = [
  WAIT_OPTION,
  { flags: '--dry-run', summary: 'print which marks would change' },
]

/** @returns the exit status. @throws {VmpkgError} `PACKAGE_NOT_INSTALLED` `LOCK_HELD` */
export async function runMark(io: Io, mark: Mark, names: readonly string[], options: OptionValues): Promise<number> {
  const nothing = `${names.join(', ')}: marked so already`
  if (io.dryRun) {
    const workspace = await io.workspace()
    return runPlan(io, workspace, await planMark(workspace, mark, names), { name: 'mark', options, nothing })
  }
  const result = await markPackages(await io.workspace({ write: 'late' }), mark, names)
  if (io.json) io.printJson('mark', { ...result })
  else for (const line of result.changed ? result.messages : [nothing]) io.print(line)
  return 0
}
