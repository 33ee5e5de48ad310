/** `history` and `history show`: what was done here, and what each command changed. */
import { isVmpkgError } from '../errors.ts'
import { diffDefinitions } from '../render/definition-diff.ts'
import type { Changes, HistoryEntry, PackageChange } from '../state/history.ts'
import { historyHolders } from './holders.ts'
import type { Workspace } from './workspace.ts'

export interface HistoryRow {
  readonly id: number
  readonly when: string
  readonly command: string
  readonly operation: string
  /** As in `upgrade router-uni (1.0-1 → 1.1-1)`. */
  readonly what: string
  readonly comment: string | undefined
  readonly outcome: 'committed' | 'undone'
}

export interface HistoryDetails extends HistoryRow {
  readonly packages: readonly {
    readonly name: string
    readonly before: string | undefined
    readonly after: string | undefined
    /** Parameters whose values changed; the values may be secret. */
    readonly parameters: readonly string[]
    readonly marks: readonly string[]
  }[]
  readonly definitions: readonly { readonly name: string; readonly kind: string; readonly diff: string }[]
  /** True where what it took out of use is still kept here. */
  readonly retained: boolean
}

/** Newest first. @param all also what changed no package: clones, and what failed */
export function listHistory(
  { history }: Workspace,
  { limit, all }: { readonly limit: number; readonly all: boolean },
): readonly HistoryRow[] {
  const rows = history
    .list({ limit: all ? limit : 100_000 })
    .map((entry) => ({ entry, changes: history.changes(entry.id) }))
  return rows
    .filter(({ changes }) => all || changes.packages.length > 0)
    .slice(0, limit)
    .map(({ entry, changes }) => toRow(entry, changes))
}

/** @throws {VmpkgError} `USAGE` when there is none of that number */
export function showHistory(workspace: Workspace, id: number): HistoryDetails {
  const entry = workspace.history.get(id)
  const changes = workspace.history.changes(id)
  return {
    ...toRow(entry, changes),
    packages: changes.packages.map((change) => ({
      name: change.name,
      before: change.before?.line.version,
      after: change.after?.line.version,
      parameters: changedParameters(change),
      marks: changedMarks(change),
    })),
    definitions: changes.definitions.flatMap(({ before, after }) => {
      const one = after ?? before
      if (one === undefined) return []
      const diff = diffTexts(`${one.kind}/${one.name}.xml`, before?.xml, after?.xml)
      return [{ name: one.name, kind: one.kind, diff }]
    }),
    retained: historyHolders(workspace).includes(`history ${id}`),
  }
}

function diffTexts(name: string, before: string | undefined, after: string | undefined): string {
  try {
    return diffDefinitions(name, before ?? '<none/>', after ?? '<none/>')
  } catch (error) {
    if (isVmpkgError(error, 'XML_INVALID')) return '' // whoever edits the database by hand
    throw error
  }
}

function toRow(entry: HistoryEntry, { packages }: Changes): HistoryRow {
  const { id, beganAt, command, operation, subject, comment, outcome } = entry
  const what = packages.length === 0 ? `${operation} ${subject}` : packages.map(describe).join(', ')
  return { id, when: beganAt.toISOString(), command, operation, what, comment, outcome }
}

function describe({ name, before, after }: PackageChange): string {
  const [from, to] = [before?.line.version, after?.line.version]
  if (from === to) return `${name} (${from})`
  return `${name} (${from ?? 'none'} → ${to ?? 'none'})`
}

function changedParameters({ before, after }: PackageChange): readonly string[] {
  const [old, next] = [before?.parameters ?? {}, after?.parameters ?? {}]
  return [...new Set([...Object.keys(old), ...Object.keys(next)])]
    .filter((name) => old[name]?.value !== next[name]?.value)
    .toSorted()
}

function changedMarks({ before, after }: PackageChange): readonly string[] {
  const marks: string[] = []
  if (before === undefined || after === undefined) return marks
  if (before.isAuto !== after.isAuto) marks.push(after.isAuto ? 'auto' : 'manual')
  if (before.isHeld !== after.isHeld) marks.push(after.isHeld ? 'hold' : 'unhold')
  return marks
}
