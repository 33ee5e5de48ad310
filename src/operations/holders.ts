/**
 * Who needs which archives and images besides installed packages and clones: running machines whose package has been
 * upgraded, and the history (threats L04). Each is a holder in the state database, so that `gc` of any process knows. Open
 * downloads announce what they need in `state/downloads.ts`.
 */
import type { PackageLine } from '../model/line.ts'
import { historyHolder } from '../state/history.ts'
import type { Workspace } from './workspace.ts'

type Lines = readonly Pick<PackageLine, 'images' | 'package'>[]

/** Who holds a package's images in the store. */
export function packageHolder(name: string): string {
  return `package ${name}`
}

/** Who holds what a machine runs on that was upgraded meanwhile. */
export function runningHolder(uuid: string): string {
  return `running ${uuid}`
}

/** Sets what a holder needs. */
export function holdObjects({ imageReferences, archiveReferences }: Workspace, holder: string, lines: Lines): void {
  imageReferences.hold(
    holder,
    lines.flatMap(({ images }) => images),
  )
  archiveReferences.hold(
    holder,
    lines.map((line) => line.package.sha256),
  )
}

export function releaseObjects({ imageReferences, archiveReferences }: Workspace, holder: string): void {
  imageReferences.release(holder)
  archiveReferences.release(holder)
}

/** Of the history of this connection. */
export function historyHolders(workspace: Workspace): readonly string[] {
  return allHolders(workspace).filter((holder) => /^history \d+$/.test(holder))
}

/** UUIDs of machines that run on what their package no longer is. */
export function runningHeld(workspace: Workspace): readonly string[] {
  return allHolders(workspace).flatMap((holder) => /^running (\S+)$/.exec(holder)?.[1] ?? [])
}

const KEPT_TRANSACTIONS = 5
const KEPT_DAYS = 30

/** What older transactions took out of use is no longer kept: the last five of the last 30 days are. */
export function expireHistory(workspace: Workspace): void {
  const oldest = workspace.outside.clock.now().getTime() - KEPT_DAYS * 24 * 3600 * 1000
  const kept = workspace.history
    .since(0)
    .slice(-KEPT_TRANSACTIONS)
    .filter(({ endedAt }) => endedAt.getTime() >= oldest)
    .map(({ id }) => historyHolder(id))
  for (const holder of historyHolders(workspace)) if (!kept.includes(holder)) releaseObjects(workspace, holder)
}

/** What the history keeps of a package is let go. */
export function forgetRetained(workspace: Workspace, name: string): void {
  for (const holder of historyHolders(workspace)) {
    const { packages } = workspace.history.changes(Number(holder.slice('history '.length)))
    const lines = packages.flatMap(({ before }) =>
      before === undefined || before.line.name === name ? [] : [before.line],
    )
    holdObjects(workspace, holder, lines)
  }
}

function allHolders({ imageReferences, archiveReferences }: Workspace): readonly string[] {
  return [...new Set([...imageReferences.holders(), ...archiveReferences.holders()])]
}
