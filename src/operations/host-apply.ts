/** Carries a host plan out: files first, each with its undo in the journal before it is touched, then commands. */
import { VmpkgError } from '../errors.ts'
import { type HostCommand, missingGroups } from '../host/host-advice.ts'
import { isChange, writeFileChange } from '../host/host-files.ts'
import { type HostJournal, type JournalFile, rememberDevices, writeHostJournal } from '../host/host-journal.ts'
import { findAbsentDaemons, type HostDaemon, readHostTree } from '../host/host-tree.ts'
import type { HostPlan } from './host-plan.ts'
import type { Workspace } from './workspace.ts'

export interface HostApplied {
  readonly changed: boolean
  /** Absolute, below the target. */
  readonly files: readonly string[]
  readonly ran: readonly HostCommand[]
  /** What nobody needs here. */
  readonly skipped: readonly SkippedCommand[]
  /** What is left to a person. */
  readonly left: readonly HostCommand[]
}

export interface SkippedCommand extends HostCommand {
  readonly reason: string
}

/** @throws {VmpkgError} `NO_RIGHTS`, `HOST_UNSUPPORTED` when a command fails */
export async function applyHost(
  workspace: Workspace,
  plan: HostPlan,
  { run = false }: { readonly run?: boolean } = {},
): Promise<HostApplied> {
  const { target, wishes, changes } = plan
  if (run) requireRunningHost(target)
  const given = new Set(plan.passthrough.hostdevs.map(({ address }) => address))
  let journal: HostJournal = { ...rememberDevices(plan.journal, plan.host.devices, given), wishes }
  const record = async (path: string, entry: JournalFile | undefined): Promise<void> => {
    const others = journal.files.filter((file) => file.edit.path !== path)
    journal = { ...journal, files: entry === undefined ? others : [...others, entry] }
    await writeHostJournal(target, journal)
  }
  const taken = changes.filter(({ entry }) => entry === undefined).toReversed()
  for (const change of [...taken, ...changes.filter(({ entry }) => entry !== undefined)]) {
    const known = plan.journal.files.find((file) => file.edit.path === change.path)
    await writeFileChange(target, change, known, async (entry) => record(change.path, entry))
  }
  const groups = run ? await groupsToJoin(target, wishes.users) : []
  if (groups.length > 0) {
    journal = { ...journal, groups: [...journal.groups, ...groups] }
    await writeHostJournal(target, journal)
  }
  const { ran, skipped, left } = await runCommands(workspace, target, run ? plan.commands : [])
  return {
    changed: changes.some(isChange),
    files: changes.filter(isChange).map(({ path }) => `${target === '/' ? '' : target}/${path}`),
    ran,
    skipped,
    left: run ? left : plan.commands,
  }
}

/**
 * Runs those that disturb nobody. What talks to a daemon that does not run here is skipped: that one reads the files when
 * it starts.
 * @param absent by default as the host has it
 * @throws {VmpkgError} `HOST_UNSUPPORTED` when a command fails, or the tree is not the running host
 */
export async function runCommands(
  workspace: Workspace,
  target: string,
  commands: readonly HostCommand[],
  absent?: ReadonlySet<HostDaemon>,
): Promise<Pick<HostApplied, 'ran' | 'skipped' | 'left'>> {
  if (commands.length === 0) return { ran: [], skipped: [], left: [] }
  requireRunningHost(target)
  const missing = absent ?? (await findAbsentDaemons(target))
  const ran: HostCommand[] = []
  const skipped: SkippedCommand[] = []
  const left: HostCommand[] = []
  for (const command of commands) {
    if (command.needs !== undefined && missing.has(command.needs)) {
      const reason = `${command.needs} does not run here, and reads its files when it starts`
      workspace.outside.emit({ type: 'noted', message: `Skipped ${command.argv.join(' ')}: ${reason}` })
      skipped.push({ ...command, reason })
      continue
    }
    if (!command.isSafe) {
      left.push(command)
      continue
    }
    const [program = '', ...args] = command.argv
    const { processes, signal, emit } = workspace.outside
    emit({ type: 'noted', message: command.argv.join(' ') })
    const { exitCode, stderr } = await processes.run(program, args, { signal })
    if (exitCode !== 0) {
      throw new VmpkgError('HOST_UNSUPPORTED', `${command.argv.join(' ')} failed: ${stderr.trim().slice(-500)}`, {
        hint: 'The files are in place; run it again by hand, or vmpkg host undo.',
      })
    }
    ran.push(command)
  }
  return { ran, skipped, left }
}

/** @throws {VmpkgError} `HOST_UNSUPPORTED` */
export function requireRunningHost(target: string): void {
  if (target === '/') return
  throw new VmpkgError('HOST_UNSUPPORTED', `Commands are not run for ${target}: it is not the running host`, {
    hint: 'Run them there yourself (chroot), without --run.',
  })
}

async function groupsToJoin(
  target: string,
  users: readonly string[],
): Promise<readonly { readonly user: string; readonly group: string }[]> {
  const { groups } = await readHostTree(target)
  return users.flatMap((user) => missingGroups(groups, user).map((group) => ({ user, group })))
}
