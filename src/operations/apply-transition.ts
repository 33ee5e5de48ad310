/**
 * Makes a planned change of what is installed: downloads first and without the lock, then the lock, the plan once more, and
 * everything under one journal entry. A failure or Ctrl-C undoes it; after a kill the next command does (threats L01).
 */
import type { CatalogueEntry } from '../catalogue/catalogue.ts'
import { listMachines, type Machine } from '../domain/inventory.ts'
import { throwIfAborted } from '../domain/readiness.ts'
import { destroyOwnDomain, undefineOwnNetwork } from '../domain/removal.ts'
import { readRestorable } from '../domain/restore.ts'
import { VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import { grantName } from '../model/capability.ts'
import type { Partials } from '../render/environment.ts'
import type { Definition, SavedDefinition } from '../state/definitions.ts'
import { type DefinitionChange, historyHolder, type PackageChange } from '../state/history.ts'
import type { Transaction } from '../state/journal.ts'
import { requireObtainable } from './download.ts'
import { collectGarbage } from './gc.ts'
import { forgetRetained, holdObjects, packageHolder, runningHeld, runningHolder } from './holders.ts'
import { tidySilence } from './host-silence.ts'
import { notGranted } from './install-plan.ts'
import { describeLaterGrants } from './later-grants.ts'
import { removeMachineFiles } from './machine-files.ts'
import { obtainPackages } from './obtain.ts'
import { type Choice, chooseFor } from './package-choice.ts'
import { fingerprint, type Removal, type TransitionPlan } from './plan-transition.ts'
import { discardStale } from './pool.ts'
import { provisionRouter } from './provision-router.ts'
import { keepQuota } from './quota.ts'
import { intend, transact } from './recover.ts'
import { applyRedefinition, type Redefinition } from './redefine-router.ts'
import { restoreRouter } from './restore-router.ts'
import type { RouterRequest } from './router-definition.ts'
import { Settled } from './settled.ts'
import { startMachine, startMachines } from './start.ts'
import { stopMachines } from './stop.ts'
import { readPartials } from './templates.ts'
import { type Change, type Target, type Transition, targetsOf } from './transition.ts'
import { findUpper } from './upper.ts'
import type { Workspace } from './workspace.ts'

export interface TransitionResult {
  readonly changed: boolean
  /** Number of the entry in the history. */
  readonly transaction: number | undefined
  readonly installed: readonly { readonly name: string; readonly version: string }[]
  readonly removed: readonly string[]
  readonly started: readonly string[]
  readonly restarted: readonly string[]
  /** Machines that go on with what they had. */
  readonly needRestart: readonly string[]
  readonly messages: readonly string[]
}

const UNCHANGED: TransitionResult = {
  changed: false,
  transaction: undefined,
  installed: [],
  removed: [],
  started: [],
  restarted: [],
  needRestart: [],
  messages: [],
}

/**
 * @param granted capabilities that the user has granted on being asked.
 * @throws {VmpkgError} `STATE_CHANGED` when another command has changed the plan's ground, `DEFINITION_CONFLICT`,
 *   `CAPABILITY_NOT_GRANTED`, `LOCK_HELD`, and what fetching, rendering and libvirt refuse
 */
export async function applyTransition(
  workspace: Workspace,
  first: TransitionPlan,
  granted: readonly string[],
): Promise<TransitionResult> {
  if (isEmpty(first.transition)) return UNCHANGED
  refuseConflicts(first)
  using downloads = await obtainPackages(workspace, entriesOf(first.transition))
  await workspace.lock()
  const plan = await first.again(granted)
  if (isEmpty(plan.transition)) return UNCHANGED
  if (fingerprint(plan) !== fingerprint(first)) throw stateChanged()
  requireGrants(plan)
  refuseConflicts(plan)
  return apply(workspace, plan, chooseFor(workspace, plan.transition, downloads.packages))
}

function isEmpty({ changes, purgeKept }: Transition): boolean {
  return changes.length === 0 && purgeKept.length === 0
}

function stateChanged(): VmpkgError {
  return new VmpkgError('STATE_CHANGED', 'Another command has changed what this one was about to do', {
    hint: 'Nothing was changed. Run it again to see the new plan.',
  })
}

function requireGrants({ summary }: TransitionPlan): void {
  if (summary.missingGrants.length > 0) throw notGranted(summary.missingGrants)
}

/** Where both sides changed one thing and nobody said which wins. @throws {VmpkgError} `DEFINITION_CONFLICT` */
export function refuseConflicts({ summary }: TransitionPlan): void {
  const conflicts = summary.definitions.flatMap((one) => one.conflicts)
  if (conflicts.length === 0) return
  throw new VmpkgError(
    'DEFINITION_CONFLICT',
    `You and the package changed the same:${conflicts.map((text) => `\n  ${text}`).join('')}`,
    { hint: '--conflict keep keeps your edits, --conflict replace takes the package’s.', details: { conflicts } },
  )
}

/** Before anything is asked: a yes would be for nothing. @throws {VmpkgError} `OFFLINE` */
export async function refuseUnobtainable(workspace: Workspace, { transition }: TransitionPlan): Promise<void> {
  await requireObtainable(workspace, entriesOf(transition))
}

function entriesOf(transition: Transition): readonly CatalogueEntry[] {
  return targetsOf(transition)
    .filter(({ kind }) => kind !== 'mark')
    .map(({ target }) => target.entry)
}

async function apply(
  workspace: Workspace,
  plan: TransitionPlan,
  choices: readonly Choice[],
): Promise<TransitionResult> {
  const { transition, redefinitions, removal } = plan
  const { operation, changes, options } = transition
  const { signal } = workspace.outside
  const subject = [...changes.map(({ name }) => name), ...transition.purgeKept].join(' ')
  const facts = { operation, subject, comment: options.comment }
  const targets = targetsOf(transition).filter(({ kind }) => kind !== 'mark')
  const pooled = workspace.pools.list() // purge gives one up
  const done = await transact(workspace, facts, async (transaction) => {
    const definitions: DefinitionChange[] = []
    const started: string[] = []
    const settled = new Settled(workspace, transaction, definitions)
    for (const [i, change] of targets.entries()) {
      throwIfAborted(signal)
      const choice = choices[i]
      if (choice === undefined) throw new TypeError('a target without its choice')
      const own = redefinitions.get(change.name)
      await provide(workspace, transaction, plan, { change, choice, own, started, settled })
    }
    throwIfAborted(signal)
    definitions.push(...(await remove(workspace, transaction, removal)))
    for (const machine of removal.machines) await settled.above(machine.facts)
    throwIfAborted(signal)
    commit(workspace, transaction, plan, choices, { definitions, settled: settled.definitions() })
    return { id: transaction.id, started, hasOldMediums: settled.definitions().length > 0 }
  })
  const needRestart = await finish(workspace, plan, done.hasOldMediums)
  const connect = pooled.length === 0 ? undefined : await workspace.connectIfRunning()
  if (connect !== undefined) await discardStale(workspace, connect)
  const kept = await keepQuota(workspace)
  return {
    changed: true,
    transaction: done.id,
    installed: targets.map(({ target }) => ({ name: target.entry.line.name, version: target.entry.line.version })),
    removed: changes.filter(({ target }) => target === undefined).map(({ name }) => name),
    started: done.started,
    restarted: options.restart ? plan.summary.restarts : [],
    needRestart,
    messages: [...messagesFor(plan, { choices, partials: await readPartials() }, done.started, needRestart), ...kept],
  }
}

interface Step {
  readonly change: Change & { readonly target: Target }
  readonly choice: Choice
  readonly own: readonly Redefinition[] | undefined
  /** Names of packages whose machine was started. */
  readonly started: string[]
  readonly settled: Settled
}

/** Routers get their definitions, and are started when they are new, unless told otherwise. */
async function provide(
  workspace: Workspace,
  transaction: Transaction,
  { transition }: TransitionPlan,
  { change, choice, own, started, settled }: Step,
): Promise<void> {
  const { pkg, grants, parameters } = choice
  const { line } = pkg
  workspace.outside.emit({
    type: 'stage-finished',
    stage: 'verify',
    subject: `${line.name} ${line.version}: signatures, archive and images`,
  })
  if (line.kind !== 'router') return
  const connect = await workspace.connect()
  const { source } = change.target.entry
  const request: RouterRequest = { pkg, source, parameters, grants: grants.map(grantName) }
  settled.requests.set(line.name, request)
  if (own !== undefined) {
    const former = await upperOf(connect, line.name)
    for (const one of own) settled.changes.push(await applyRedefinition(connect, transaction, one))
    const machine = (await listMachines(connect)).find(({ facts }) => facts.package === line.name)
    if (machine !== undefined) await settled.above(machine.facts)
    // With another uplink it stands behind another one now.
    if (former !== undefined) await settled.itself(former)
    return
  }
  const saved = transition.saved.filter((one) => one.package === line.name)
  const { machine, definitions } = saved.some(({ kind }) => kind === 'domain')
    ? await restoreRouter(workspace, connect, transaction, request, saved)
    : await provisionRouter(workspace, connect, transaction, request)
  settled.changes.push(...definitions.map((after) => ({ uuid: after.uuid, before: undefined, after })))
  await settled.above(machine.facts)
  await settled.itself(machine)
  if (!transition.options.start) return
  const starting = { ...transition.options, isSettled: true }
  const upper = findUpper(await listMachines(connect), machine.facts)
  if (upper !== undefined) await startMachine(workspace, connect, upper, starting)
  await startMachine(workspace, connect, machine, starting)
  started.push(line.name)
}

async function upperOf(connect: Connect, packageName: string): Promise<Machine | undefined> {
  const machines = await listMachines(connect)
  const router = machines.find(({ facts }) => facts.package === packageName)
  return router && findUpper(machines, router.facts)
}

/** Files go once the transaction is committed: until then the journal can bring everything back. */
async function remove(
  workspace: Workspace,
  transaction: Transaction,
  { machines, networks }: Removal,
): Promise<readonly DefinitionChange[]> {
  if (machines.length + networks.length === 0) return []
  const connect = await workspace.connect()
  const parts = [
    ...machines.map(
      ({ domain, name, facts }) => ({ kind: 'domain', uuid: domain.uuid, name, owner: facts.package }) as const,
    ),
    ...networks.map(
      ({ network, name, facts }) => ({ kind: 'network', uuid: network.uuid, name, owner: facts.package }) as const,
    ),
  ]
  const gone: DefinitionChange[] = []
  for (const { kind, uuid, name, owner } of parts) {
    const found = await readRestorable(connect, uuid)
    if (found === undefined) continue
    const { xml, autostart, active } = found
    const known = workspace.definitions.find(uuid)
    const unknown = { uuid, kind, name, package: owner, rendered: xml, defined: xml, context: {} }
    const before: SavedDefinition = { ...(known ?? unknown), xml, autostart }
    intend(transaction, { kind: `restore-${kind}`, uuid, name, xml, autostart, active })
    if (kind === 'domain') await destroyOwnDomain(connect, uuid)
    else await undefineOwnNetwork(connect, uuid)
    gone.push({ uuid, before, after: undefined })
  }
  if (networks.length > 0) await tidySilence(workspace, connect)
  return gone.toReversed() // networks before domains, the order to bring them back in
}

function commit(
  workspace: Workspace,
  transaction: Transaction,
  { transition, redefinitions }: TransitionPlan,
  choices: readonly Choice[],
  {
    definitions,
    settled,
  }: { readonly definitions: readonly DefinitionChange[]; readonly settled: readonly Definition[] },
): void {
  const { installed, imageReferences, keptValues, history } = workspace
  const { changes, purge, purgeKept } = transition
  const installedAt = workspace.outside.clock.now()
  const targets = targetsOf(transition).filter(({ kind }) => kind !== 'mark')
  transaction.commit(() => {
    const packages: PackageChange[] = []
    for (const { kind, name, before, target } of changes) {
      if (target === undefined) {
        installed.remove(name)
        imageReferences.release(packageHolder(name))
        if (purge) workspace.pools.drop(name)
        if (purge) keptValues.drop(name)
        else keptValues.keep(name, before?.parameters ?? {})
      } else if (kind === 'mark' && before !== undefined) {
        installed.put({ ...before, isAuto: target.isAuto, isHeld: target.isHeld })
      } else {
        const choice = choices[targets.findIndex((one) => one.name === name)]
        if (choice === undefined) throw new TypeError('a target without its choice')
        const { pkg, grants, parameters } = choice
        const { entry, isAuto, isHeld } = target
        installed.put({ line: pkg.line, source: entry.source, isAuto, isHeld, installedAt, grants, parameters })
        imageReferences.hold(packageHolder(name), pkg.line.images)
        keptValues.drop(name)
      }
      packages.push({ name, before, after: installed.find(name) })
    }
    for (const { uuid, after } of definitions) {
      if (after === undefined) workspace.definitions.remove(uuid)
      else workspace.definitions.put(after)
    }
    for (const one of settled) workspace.definitions.put(one)
    for (const name of purgeKept) keptValues.drop(name)
    history.record(transaction.id, { packages, definitions })
    retain(workspace, transaction.id, packages, purge)
    holdRunning(workspace, redefinitions, packages)
    for (const name of [...(purge ? changes.map((change) => change.name) : []), ...purgeKept]) {
      forgetRetained(workspace, name)
      history.forgetValues(name)
    }
  })
}

/** What was taken out of use stays for a while, so that it can come back without any source. */
function retain(workspace: Workspace, id: number, packages: readonly PackageChange[], purge: boolean): void {
  if (purge) return
  const lines = packages.flatMap(({ before, after }) =>
    before === undefined || before.line.package.sha256 === after?.line.package.sha256 ? [] : [before.line],
  )
  if (lines.length > 0) holdObjects(workspace, historyHolder(id), lines)
}

/** A machine that goes on running needs what it runs on, whatever its package is now. */
function holdRunning(
  workspace: Workspace,
  redefinitions: TransitionPlan['redefinitions'],
  packages: readonly PackageChange[],
): void {
  const held = runningHeld(workspace)
  for (const { name, before } of packages) {
    for (const { old, isActive } of redefinitions.get(name) ?? []) {
      if (old.kind !== 'domain' || !isActive || before === undefined || held.includes(old.uuid)) continue
      holdObjects(workspace, runningHolder(old.uuid), [before.line])
    }
  }
}

/** What follows once all is settled: a failure here leaves the new state. @returns machines that need a restart */
async function finish(
  workspace: Workspace,
  { transition, removal, summary }: TransitionPlan,
  hasOldMediums: boolean,
): Promise<readonly string[]> {
  for (const { domain } of removal.machines) await removeMachineFiles(workspace.connectionPaths, domain.uuid)
  const names = summary.restarts
  if (names.length > 0 && transition.options.restart) {
    const stopped = await stopMachines(workspace, { names, force: false, cascade: true })
    const again = [...new Set([...names, ...stopped.map(({ name }) => name)])]
    await startMachines(workspace, again, transition.options)
  }
  if (hasOldMediums || transition.changes.some(({ before }) => before !== undefined))
    await collectGarbage(workspace, { dryRun: false, keepDownloads: true })
  return transition.options.restart ? [] : names
}

function messagesFor(
  { transition }: TransitionPlan,
  { choices, partials }: { readonly choices: readonly Choice[]; readonly partials: Partials },
  started: readonly string[],
  needRestart: readonly string[],
): readonly string[] {
  const words = {
    install: 'Installed',
    upgrade: 'Upgraded',
    downgrade: 'Downgraded',
    reinstall: 'Reinstalled',
  } as const
  const targets = targetsOf(transition)
  const told = targets.flatMap(({ kind, name, before, target }) => {
    if (kind === 'mark' || kind === 'remove') return markMessage(name, before, target)
    const choice = choices.find(({ pkg }) => pkg.line.name === name)
    const { version, kind: what } = target.entry.line
    const notes = kind === 'install' ? choice?.pkg.manifest.notes : undefined
    return [
      `${words[kind]} ${name} ${version}${started.includes(name) ? ', its machine is running' : ''}`,
      ...(what === 'app' && kind === 'install' ? [`Make a machine of it: vmpkg clone ${name}`] : []),
      ...(choice === undefined || kind !== 'install' ? [] : describeLaterGrants(choice, partials)),
      ...(notes === undefined ? [] : [notes.trim()]),
    ]
  })
  const gone = transition.changes.filter(({ target }) => target === undefined)
  return [
    ...told,
    ...gone.map(({ name }) => `${transition.purge ? 'Purged' : 'Removed'} ${name}`),
    ...transition.purgeKept.map((name) => `Purged the values of ${name}`),
    ...needRestart.map(
      (name) => `${name} runs on as before until it is restarted: vmpkg stop ${name}; vmpkg start ${name}`,
    ),
  ]
}

function markMessage(name: string, before: Change['before'], { isAuto, isHeld }: Target): readonly string[] {
  const messages: string[] = []
  if (before?.isAuto !== isAuto) messages.push(`${name} set to ${isAuto ? 'automatically' : 'manually'} installed`)
  if (before?.isHeld !== isHeld) messages.push(isHeld ? `${name} set on hold` : `${name} is no longer on hold`)
  return messages
}
