/**
 * Shows a plan before it is applied, as apt 3 does: what is upgraded first, what is removed last; asks for the capabilities
 * that are not granted yet (decisions 18) and for older versions; then applies it.
 */
import { isVmpkgError, VmpkgError } from '../errors.ts'
import {
  applyTransition,
  refuseConflicts,
  refuseUnobtainable,
  type TransitionResult,
} from '../operations/apply-transition.ts'
import { downgrades, refuseDowngrade } from '../operations/install.ts'
import { notGranted, type PlanSummary } from '../operations/install-plan.ts'
import type { TransitionPlan } from '../operations/plan-transition.ts'
import type { TransitionOptions } from '../operations/transition.ts'
import type { Side } from '../xml/merge.ts'
import {
  type Io,
  type OptionSpec,
  type OptionValues,
  optionNumber,
  optionText,
  TIMEOUT_OPTION,
  type Tone,
  WAIT_OPTION,
} from './command.ts'
import { redact } from './redact.ts'
import { formatBytes } from './table.ts'

const WIDTH = 79
/** Longer differences are printed on request only. */
const SHORT_DIFF_LINES = 24

/** What commands that change packages have in common. */
export const CHANGE_OPTIONS: readonly OptionSpec[] = [
  { flags: '--comment <text>', summary: 'remember this in the history' },
  WAIT_OPTION,
  { flags: '--dry-run', summary: 'print the plan and stop' },
]

/** For commands that may change definitions of machines that are there. */
export const DEFINITION_OPTIONS: readonly OptionSpec[] = [
  { flags: '--diff', summary: 'print how definitions change, however long' },
  { flags: '--conflict <side>', summary: 'where you and the package changed the same: keep or replace' },
  { flags: '--restart', summary: 'restart running machines that changed' },
  TIMEOUT_OPTION,
]

/** What was said of how machines start. @throws {VmpkgError} `USAGE` */
export function startOptions(options: OptionValues): Pick<TransitionOptions, 'start' | 'restart' | 'timeoutSeconds'> {
  return {
    start: options['start'] !== false,
    restart: options['restart'] === true,
    timeoutSeconds: optionNumber(options, 'timeout', 1),
  }
}

/** Which side wins in a merge. @throws {VmpkgError} `USAGE` */
export function conflictSide(options: OptionValues): Side | undefined {
  const text = optionText(options, 'conflict')
  if (text === undefined) return undefined
  if (text === 'keep') return 'current'
  if (text === 'replace') return 'after'
  throw new VmpkgError('USAGE', `--conflict takes keep or replace, not ${JSON.stringify(text.slice(0, 40))}`, {
    hint: 'keep: your edits stay; replace: the package’s version takes their place.',
  })
}

export interface RunOptions {
  /** Name of the JSON result. */
  readonly name: string
  readonly options: OptionValues
  /** What to say when nothing has to change. */
  readonly nothing: string
}

/** Prints, asks, applies, prints. @returns the exit status */
export async function runPlan(
  io: Io,
  workspace: Parameters<typeof applyTransition>[0],
  plan: TransitionPlan,
  { name, options, nothing }: RunOptions,
): Promise<number> {
  const { summary, transition } = plan
  if (io.dryRun && io.json) {
    io.printJson('plan', { ...summary })
    return 0
  }
  if (transition.changes.length === 0 && transition.purgeKept.length === 0) {
    if (io.json) io.printJson(name, { changed: false, installed: [], notes: summary.notes })
    else for (const text of [...summary.notes, nothing]) io.print(text)
    return 0
  }
  if (!io.json || !io.assumeYes) printPlan(io, summary, { diff: options['diff'] === true })
  if (io.dryRun) return 0
  refuseConflicts(plan)
  await refuseUnobtainable(workspace, plan)
  if (options['allowDowngrade'] !== true) await confirmDowngrade(io, plan)
  const grants = await confirmGrants(io, summary.missingGrants)
  if (!(await io.confirm('Continue?'))) return 1
  const result = await applyTransition(workspace, plan, grants).catch(explainUnready)
  printResult(io, name, result, nothing)
  return 0
}

/** A machine that did not become ready was undone with the rest, and its log with it. */
function explainUnready(error: unknown): never {
  if (!isVmpkgError(error, 'GUEST_NOT_READY')) throw error
  throw new VmpkgError('GUEST_NOT_READY', `${error.message}; the change was undone`, {
    hint: 'A slow host may need longer: --timeout 600. To look into it, add --no-start, then run vmpkg start MACHINE and vmpkg logs MACHINE.',
    cause: error.cause,
    details: error.details,
  })
}

function printResult(io: Io, name: string, result: TransitionResult, nothing: string): void {
  if (io.json) io.printJson(name, { ...result })
  else for (const line of result.changed ? result.messages : [nothing]) io.print(line)
}

/** On standard error, so that results on standard output stay clean. */
function printPlan(io: Io, plan: PlanSummary, { diff = false }: { readonly diff?: boolean } = {}): void {
  const shown = plan.changes.filter(({ items }) => items.length > 0)
  for (const { verb, items } of shown) {
    io.note(`${verb}:`, toneOf(verb))
    for (const line of wrap(items)) io.note(`  ${line}`, toneOf(verb))
  }
  for (const { package: name, capability, reason } of plan.capabilities)
    io.note(`${name} may use ${capability}: ${reason}`)
  printDefinitions(io, plan, diff)
  for (const name of plan.restarts) io.note(`${name} runs on as it is until it is restarted`, 'careful')
  for (const text of plan.notes) io.note(text)
  io.note(countChanges(plan))
  if (plan.downloadBytes > 0 || plan.diskBytes > 0)
    io.note(`Download ${formatBytes(plan.downloadBytes)}, disk space ${formatBytes(plan.diskBytes)}`)
}

function printDefinitions(io: Io, { definitions }: PlanSummary, all: boolean): void {
  const total = definitions.reduce((sum, { diff }) => sum + diff.split('\n').length, 0)
  for (const { kind, name, diff, edited, conflicts } of definitions) {
    if (edited) io.note(`Your edits of ${kind} ${name} stay`)
    for (const text of conflicts) io.note(`Conflict: ${text}`, 'bad')
    if (diff === '') continue
    io.note(
      `The definition of ${kind} ${name} changes${all || total <= SHORT_DIFF_LINES ? ':' : ' (--diff shows how)'}`,
    )
    if (all || total <= SHORT_DIFF_LINES) for (const line of diff.split('\n')) io.note(`  ${line}`, diffTone(line))
  }
}

/** `1 upgraded, 2 installed, 0 removed`, in the order of the plan. */
function countChanges({ packages }: PlanSummary): string {
  const of = (...actions: readonly string[]): number => packages.filter(({ action }) => actions.includes(action)).length
  const more = [
    [of('downgrade'), 'downgraded'],
    [of('reinstall'), 'reinstalled'],
    [of('mark'), 'marked'],
  ] as const
  return [
    `${of('upgrade')} upgraded, ${of('install')} installed`,
    ...more.filter(([count]) => count > 0).map(([count, word]) => `${count} ${word}`),
    `${of('remove')} removed`,
  ].join(', ')
}

function toneOf(verb: string): Tone {
  if (verb.startsWith('REMOVING') || verb.startsWith('PURGING')) return 'bad'
  return verb === 'DOWNGRADING' ? 'careful' : 'good'
}

function diffTone(line: string): Tone | undefined {
  if (line.startsWith('+')) return 'good'
  return line.startsWith('-') ? 'bad' : undefined
}

function wrap(items: readonly string[]): readonly string[] {
  const lines: string[] = []
  for (const item of items) {
    const last = lines.at(-1)
    if (last === undefined || last.length + item.length + 4 > WIDTH) lines.push(item)
    else lines[lines.length - 1] = `${last}  ${item}`
  }
  return lines
}

/** Asks by name; `-y` is no answer to this. @throws {VmpkgError} `CONFIRMATION_NEEDED` */
async function confirmDowngrade(io: Io, plan: TransitionPlan): Promise<void> {
  const isReversion = plan.transition.operation.startsWith('history ')
  if (isReversion) return // going back is what was asked for
  if (!io.assumeYes && io.stdin.isTTY) {
    const names = downgrades(plan).join(', ')
    if (names === '' || (await io.confirm(`Go back to an older version of ${names}?`))) return
  }
  refuseDowngrade(plan)
}

/**
 * Asks for each.
 * @param command that would grant it, where it is known
 * @throws {VmpkgError} `CAPABILITY_NOT_GRANTED`: `-y` never grants, and neither does the lack of a terminal.
 */
export async function confirmGrants(
  io: Io,
  missing: PlanSummary['missingGrants'],
  command?: string,
): Promise<readonly string[]> {
  if (missing.length === 0) return []
  const refusal = (): VmpkgError => notGranted(missing, command)
  if (io.assumeYes || !io.stdin.isTTY) throw refusal()
  for (const { package: name, capability, reason } of missing) {
    if (!(await io.confirm(redact(`Grant ${capability} to ${name} (${reason})?`)))) throw refusal()
  }
  return [...new Set(missing.map(({ capability }) => capability))]
}
