/** Shows a plan before it is applied, and asks for the capabilities that are not granted yet (decisions 18). */
import { VmpkgError } from '../errors.ts'
import type { PlanSummary } from '../operations/install-plan.ts'
import type { Io } from './command.ts'
import { redact } from './redact.ts'
import { formatBytes } from './table.ts'

/** On standard error, so that results on standard output stay clean. */
export function printPlan(io: Io, plan: PlanSummary): void {
  for (const { verb, items } of plan.changes) if (items.length > 0) io.note(`${verb}:\n  ${items.join('  ')}`)
  for (const { package: name, capability, reason } of plan.capabilities)
    io.note(`${name} may use ${capability}: ${reason}`)
  for (const text of plan.notes) io.note(text)
  io.note(`Download ${formatBytes(plan.downloadBytes)}, disk space ${formatBytes(plan.diskBytes)}`)
}

/** @throws {VmpkgError} `CAPABILITY_NOT_GRANTED`: `-y` never grants, and neither does the lack of a terminal. */
export async function confirmGrants(io: Io, missing: PlanSummary['missingGrants']): Promise<readonly string[]> {
  if (missing.length === 0) return []
  const names = [...new Set(missing.map(({ capability }) => capability))]
  const refusal = (): VmpkgError =>
    new VmpkgError(
      'CAPABILITY_NOT_GRANTED',
      `Not granted: ${missing.map((item) => `${item.capability} to ${item.package}`).join(', ')}`,
      {
        hint: `When you agree, add ${names.map((name) => `--grant ${name}`).join(' ')}.`,
        details: { missing },
      },
    )
  if (io.assumeYes || !io.stdin.isTTY) throw refusal()
  for (const { package: name, capability, reason } of missing) {
    if (!(await io.confirm(redact(`Grant ${capability} to ${name} (${reason})?`)))) throw refusal()
  }
  return names
}
