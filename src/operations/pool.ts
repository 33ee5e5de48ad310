/**
 * Pools: booted, paused machines of a package that wait for somebody to take one. How many is wanted stands in the state;
 * what waits is in libvirt. Whoever looks after them makes the one like the other, again and again, from whatever a killed
 * command, a reboot, an upgrade or another user left.
 */
import { absent, type Machine } from '../domain/inventory.ts'
import { destroyOwnDomain } from '../domain/removal.ts'
import { VmpkgError } from '../errors.ts'
import { countPossible, type DropReason, memberNeed, type PoolPlan, planPools } from '../host/pool-room.ts'
import { largestOverlay } from '../image/qcow2-overlay.ts'
import type { Connect } from '../libvirt/connect.ts'
import { formatSize } from '../model/size.ts'
import type { PoolWish } from '../state/pools.ts'
import { chooseNet } from './clone-plan.ts'
import { chooseEphemeralMode, EPHEMERAL_MODES, sumPledges } from './ephemeral.ts'
import { loadPackage } from './package-store.ts'
import { assignParameters } from './parameters.ts'
import { isFresh } from './pool-hit.ts'
import { finishMembers, makeMember } from './pool-member.ts'
import {
  dropMember,
  endUnattended,
  type Held,
  isUnattended,
  listOwnMembers,
  listUnattended,
  type ReadMemory,
  readHeld,
  readHostMemory,
} from './pool-relief.ts'
import { readSupervisor } from './supervisor-record.ts'
import type { Workspace } from './workspace.ts'

export interface PoolOptions {
  readonly readMemory?: ReadMemory
}

export interface PoolRequest {
  readonly package: string
  /** 0 gives the pool up. */
  readonly size: number
  readonly mode: string | undefined
  readonly net: string | undefined
  readonly dryRun: boolean
}

interface PoolMemberRow {
  readonly uuid: string
  /** `stale`: it is not what would be made now, and goes. */
  readonly state: 'ready' | 'filling' | 'stale'
  readonly version: string
  readonly mode: string
  readonly net: string | undefined
  /** ISO 8601. */
  readonly createdAt: string
  /** Of the host's memory. */
  readonly heldBytes: number
}

export interface PoolRow {
  readonly package: string
  readonly size: number
  readonly ready: number
  readonly filling: number
  readonly members: readonly PoolMemberRow[]
}

export interface PoolList {
  readonly pools: readonly PoolRow[]
  /** Whether somebody refills them. */
  readonly isSupervised: boolean
}

interface Seen {
  readonly member: Machine
  readonly isFresh: boolean
  readonly held: Held
}

interface Look {
  readonly wishes: readonly PoolWish[]
  readonly seen: readonly Seen[]
  readonly plan: PoolPlan
}

const NOTHING: PoolPlan = { drop: [], make: [], short: [] }

async function look(
  workspace: Workspace,
  connect: Connect,
  { readMemory = readHostMemory }: PoolOptions,
): Promise<Look> {
  const wishes = workspace.pools.list()
  const members = await listOwnMembers(workspace, connect)
  if (wishes.length + members.length === 0) return { wishes, seen: [], plan: NOTHING }
  const seen: Seen[] = []
  for (const member of members) {
    const wish = wishes.find((one) => one.package === member.facts.package)
    const installed = workspace.installed.find(member.facts.package)
    const fresh = wish && installed && (await isFresh(workspace, connect, installed, member, wish))
    seen.push({ member, isFresh: fresh === true, held: await readHeld(member) })
  }
  const memory = (await readMemory()) ?? { totalBytes: 0, availableBytes: 0, stalledPercent: 0 }
  const demands = []
  for (const { package: name, size, mode } of wishes) {
    const isThere = workspace.installed.find(name) !== undefined
    demands.push({ package: name, size, needBytes: isThere ? await needOf(workspace, connect, name, mode) : undefined })
  }
  const untouched = seen.reduce((sum, { held }) => sum + held.untouchedBytes, 0)
  const plan = planPools(
    demands,
    seen.map(({ member: { domain, facts }, isFresh: fresh, held }) => ({
      uuid: domain.uuid,
      package: facts.package,
      isAbandoned: facts.pool === 'filling' && isUnattended(facts),
      isFresh: fresh,
      heldBytes: held.heldBytes,
    })),
    memory,
    untouched + (await sumPledges(workspace.connectionPaths.memory)),
  )
  return { wishes, seen, plan }
}

/** What one member can come to take of the host's memory. */
async function needOf(
  workspace: Workspace,
  connect: Connect,
  name: string,
  wanted: string | undefined,
): Promise<number> {
  const { line, parameters: before } = workspace.installed.get(name)
  const { manifest } = await loadPackage(workspace, line)
  const values = assignParameters(workspace.paths, [{ manifest, isAsked: true, before }], { set: [], profiles: [] })
  const memory = values.get(line.name)?.['memory']?.value
  const memoryBytes = typeof memory === 'number' ? memory : 256 * 1024 ** 2
  const disk = line.images.find(({ role }) => role === 'disk')
  if (disk === undefined) return memberNeed(memoryBytes, 0)
  const needs = { package: line.name, diskBytes: [disk.size], memoryBytes }
  const mode = wanted ?? (await chooseEphemeralMode(workspace, connect, needs, undefined))
  return memberNeed(memoryBytes, mode === 'ram' ? largestOverlay(disk.size) : 0)
}

/** @throws {VmpkgError} `LIBVIRT_UNREACHABLE` */
export async function listPools(workspace: Workspace, options: PoolOptions = {}): Promise<PoolList> {
  const connect = await workspace.connect()
  const { wishes, seen } = await look(workspace, connect, options)
  const { pid } = await readSupervisor(workspace.connectionPaths)
  const names = new Set([...wishes.map((one) => one.package), ...seen.map(({ member }) => member.facts.package)])
  return {
    isSupervised: pid !== undefined,
    pools: [...names].toSorted().map((name) => {
      const members = seen.filter(({ member }) => member.facts.package === name).map(rowOf)
      const count = (state: string): number => members.filter((one) => one.state === state).length
      const size = wishes.find((one) => one.package === name)?.size ?? 0
      return { package: name, size, ready: count('ready'), filling: count('filling'), members }
    }),
  }
}

function rowOf({ member: { domain, facts }, isFresh: fresh, held }: Seen): PoolMemberRow {
  const isAbandoned = facts.pool === 'filling' && isUnattended(facts)
  return {
    uuid: domain.uuid,
    state: fresh && !isAbandoned ? (facts.pool ?? 'stale') : 'stale',
    version: facts.version,
    mode: facts.storage ?? 'transient',
    net: facts.net,
    createdAt: facts.createdAt,
    heldBytes: held.heldBytes,
  }
}

/** Whether there is something to do; asked without the lock. */
export async function needsPools(workspace: Workspace, connect: Connect, options: PoolOptions = {}): Promise<boolean> {
  const { plan } = await look(workspace, connect, options)
  return plan.drop.length + plan.make.length > 0
}

const REASONS: Readonly<Record<DropReason, string>> = {
  abandoned: 'nobody finished it',
  stale: 'it is not what would be made now',
  surplus: 'the pool is smaller now',
  memory: 'its memory is needed',
}

export interface Prepared {
  /** They boot now, and have to be finished. */
  readonly made: readonly Machine[]
  /** Members for which there is no memory now. */
  readonly short: number
}

/**
 * Ends what has to go and makes what is missing. The caller holds the lock.
 * @param options.only this package; all where it is absent
 * @throws {VmpkgError} as `clone` with `ephemeral`
 */
export async function preparePools(
  workspace: Workspace,
  connect: Connect,
  { only, ...options }: PoolOptions & { readonly only?: string | undefined } = {},
): Promise<Prepared> {
  const { emit } = workspace.outside
  await endUnattended(workspace, connect)
  const { wishes, seen, plan } = await look(workspace, connect, options)
  for (const { uuid, reason } of plan.drop) {
    const found = seen.find(({ member }) => member.domain.uuid === uuid)
    if (found === undefined) continue
    await dropMember(workspace, connect, found.member)
    emit({
      type: 'noted',
      message: `A machine of the pool of ${found.member.facts.package} has gone: ${REASONS[reason]}`,
    })
  }
  const made: Machine[] = []
  const wanted = plan.make.filter((one) => only === undefined || one.package === only)
  for (const { package: name, count } of wanted) {
    const wish = wishes.find((one) => one.package === name)
    if (wish === undefined) continue
    emit({ type: 'stage-started', stage: 'boot', subject: `${count} for the pool of ${name}` })
    for (let number = 0; number < count; number++) {
      made.push(await makeMember(workspace, connect, workspace.installed.get(name), wish))
    }
  }
  const short = plan.short.filter((one) => only === undefined || one.package === only)
  return { made, short: short.reduce((sum, { count }) => sum + count, 0) }
}

export interface Filled {
  readonly made: number
  readonly short: number
}

/**
 * Fills pools and waits until what was made is ready. Takes the lock, and does not hold it while guests boot.
 * @param only this package
 * @throws {VmpkgError} as `clone` with `ephemeral`; `AGENT_UNAVAILABLE` for guests that do not wait, `GUEST_NOT_READY`
 */
export async function fillPools(workspace: Workspace, only?: string, options: PoolOptions = {}): Promise<Filled> {
  await workspace.lock()
  const connect = await workspace.connect()
  const { made, short } = await preparePools(workspace, connect, { only, readMemory: unhurried(options) })
  await workspace.unlock()
  const [failure] = await finishOrEnd(workspace, connect, made)
  if (failure !== undefined) throw failure
  workspace.outside.emit({ type: 'stage-finished', stage: 'boot', subject: `${made.length} for pools` })
  return { made: made.length, short }
}

/** Who asks for it goes by what is available; that the host is slow for want of memory is the supervisor's to look at. */
function unhurried({ readMemory = readHostMemory }: PoolOptions): ReadMemory {
  return async () => {
    const memory = await readMemory()
    return memory && { ...memory, stalledPercent: 0 }
  }
}

/** What does not get ready is ended; its files go with the next look for what ended. @returns what went wrong */
export async function finishOrEnd(
  workspace: Workspace,
  connect: Connect,
  made: readonly Machine[],
): Promise<readonly Error[]> {
  const failures = await finishMembers(workspace, connect, made)
  if (failures.length === 0) return failures
  for (const { domain } of made) {
    const there = await connect.domainLookupByUuid({ uuid: domain.uuid }).catch(absent('noDomain'))
    if (there !== undefined && (await there.getState()).state !== 'paused') await destroyOwnDomain(connect, domain.uuid)
  }
  return failures
}

/**
 * The pool of a package gets this size, and is filled. Where that fails it is as it was before.
 * @throws {VmpkgError} `PACKAGE_NOT_INSTALLED` `USAGE` `NO_SPACE`, and as `fillPools`
 */
export async function setPool(workspace: Workspace, request: PoolRequest, options: PoolOptions = {}): Promise<Filled> {
  const { package: name, size, mode, net, dryRun } = request
  const before = workspace.pools.find(name)
  if (size === 0) {
    if (before === undefined && workspace.installed.find(name) === undefined) workspace.installed.get(name)
    if (!dryRun) await dropPool(workspace, name)
    return { made: 0, short: 0 }
  }
  await requirePossible(workspace, request, options)
  if (dryRun) return { made: 0, short: 0 }
  await workspace.lock()
  workspace.pools.put({ package: name, size, mode, net })
  try {
    return await fillPools(workspace, name, options)
  } catch (error) {
    await workspace.lock().catch(() => {}) // interrupted: what is left goes with the next command
    if (before === undefined) workspace.pools.drop(name)
    else workspace.pools.put(before)
    if (workspace.isLocked) await discardStale(workspace, await workspace.connect())
    throw error
  }
}

async function requirePossible(
  workspace: Workspace,
  { package: name, size, mode, net }: PoolRequest,
  { readMemory = readHostMemory }: PoolOptions,
): Promise<void> {
  const { line } = workspace.installed.get(name)
  if (line.kind === 'router') {
    throw new VmpkgError('USAGE', `${name} is a router: it is one machine, not a template`)
  }
  if (mode !== undefined && !EPHEMERAL_MODES.some((one) => one === mode)) {
    throw new VmpkgError('USAGE', `--mode takes ram, encrypted or transient, not ${JSON.stringify(mode.slice(0, 40))}`)
  }
  const connect = await workspace.connect()
  await chooseNet(connect, line, net)
  const memory = await readMemory()
  if (memory === undefined) return
  const need = await needOf(workspace, connect, name, mode)
  const possible = countPossible(memory, need)
  if (size <= possible) return
  throw new VmpkgError('NO_SPACE', `${size} machines of ${name} can take ${formatSize(size * mebibytes(need))}`, {
    hint:
      possible === 0
        ? 'Not one fits into the memory of this host.'
        : `At most ${possible} fit into the memory of this host.`,
    details: { needed: size * need, total: memory.totalBytes, possible },
  })
}

/** @throws {VmpkgError} `LOCK_HELD` */
async function dropPool(workspace: Workspace, name: string): Promise<number> {
  await workspace.lock()
  workspace.pools.drop(name)
  const connect = await workspace.connect()
  const members = (await listOwnMembers(workspace, connect)).filter(({ facts }) => facts.package === name)
  for (const member of members) await dropMember(workspace, connect, member)
  return members.length
}

/**
 * After a change of what is installed, and for `gc`: what nobody waits for. The caller holds the lock where it is no dry run.
 * @returns UUIDs
 */
export async function discardStale(workspace: Workspace, connect: Connect, dryRun = false): Promise<readonly string[]> {
  const lonely = await listUnattended(workspace, connect)
  const { plan, seen } = await look(workspace, connect, {})
  const drop = plan.drop.filter(({ reason }) => reason !== 'memory').map(({ uuid }) => uuid)
  const members = [...lonely, ...seen.map(({ member }) => member).filter(({ domain }) => drop.includes(domain.uuid))]
  const going = new Map(members.map((member) => [member.domain.uuid, member]))
  for (const member of dryRun ? [] : going.values()) await dropMember(workspace, connect, member)
  return [...going.keys()]
}

function mebibytes(bytes: number): number {
  return Math.ceil(bytes / 1024 ** 2) * 1024 ** 2
}
