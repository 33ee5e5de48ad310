/** What members of pools hold, and how they leave: before anything that somebody wants fails for lack of memory. */
import { readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { listPooled, listPoolMembers, type Machine } from '../domain/inventory.ts'
import { destroyOwnDomain } from '../domain/removal.ts'
import { readResources } from '../domain/resources.ts'
import { countRelief, type HostMemory, parseHostMemory } from '../host/pool-room.ts'
import type { Connect } from '../libvirt/connect.ts'
import { LibvirtError } from '../libvirt/error.ts'
import type { DomainFacts } from '../model/libvirt-facts.ts'
import { isAlive } from '../state/process-identity.ts'
import { intend, transact } from './recover.ts'
import { forgetClone, namelessEntry, removalOfClone } from './stop.ts'
import type { Workspace } from './workspace.ts'

export type ReadMemory = () => Promise<HostMemory | undefined>

/** This host's. */
export async function readHostMemory(): Promise<HostMemory | undefined> {
  const text = async (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '')
  return parseHostMemory(await text('/proc/meminfo'), await text('/proc/pressure/memory'))
}

/** Members that this root made, the oldest first: whoever else uses the connection has files of their own for theirs. */
export async function listOwnMembers(
  { connectionPaths }: Pick<Workspace, 'connectionPaths'>,
  connect: Connect,
): Promise<readonly Machine[]> {
  const members = await listPoolMembers(connect)
  return members.filter(({ facts }) => facts.medium !== undefined && dirname(facts.medium) === connectionPaths.memory)
}

/** True where it had one, and that process is gone. */
export function isUnattended({ attendant }: Pick<DomainFacts, 'attendant'>): boolean {
  if (attendant === undefined) return false
  const [pid, startTicks, bootId = ''] = attendant.split(' ')
  return !isAlive({ pid: Number(pid), startTicks: Number(startTicks), bootId })
}

/**
 * Ends what belongs to a process that is gone: members that nobody finishes, and machines out of a pool that were to end with
 * their window. The caller holds the lock.
 */
export async function endUnattended(workspace: Workspace, connect: Connect): Promise<number> {
  const lonely = await listUnattended(workspace, connect)
  for (const one of lonely) await dropMember(workspace, connect, one)
  return lonely.length
}

export async function listUnattended(workspace: Workspace, connect: Connect): Promise<readonly Machine[]> {
  const { memory } = workspace.connectionPaths
  const pooled = await listPooled(connect)
  return pooled.filter(({ facts }) => dirname(facts.medium ?? '') === memory && isUnattended(facts))
}

export interface Held {
  /** What goes back to the host with it. */
  readonly heldBytes: number
  /** What its guest has been promised as memory and has not touched. */
  readonly untouchedBytes: number
}

export async function readHeld({ domain, facts, xml }: Machine): Promise<Held> {
  const stats = await domain.memoryStats().catch((error: unknown) => {
    if (error instanceof LibvirtError) return [] // it has just ended
    throw error
  })
  const rss = Number(stats.find(({ tag }) => tag === 'rss')?.value ?? 0) * 1024
  const disk = facts.storage === 'ram' && facts.overlay !== undefined ? await takenOf(facts.overlay) : 0
  return { heldBytes: rss + disk, untouchedBytes: Math.max(0, readResources(xml).memoryKib * 1024 - rss) }
}

async function takenOf(path: string): Promise<number> {
  return stat(path).then(
    ({ blocks }) => blocks * 512,
    () => 0,
  )
}

/** Ends a member. Safe to run twice. The caller holds the lock. */
export async function dropMember(workspace: Workspace, connect: Connect, { domain, facts }: Machine): Promise<void> {
  const { uuid } = domain
  await transact(workspace, namelessEntry('pool', facts.package), async (transaction) => {
    intend(transaction, ...removalOfClone(uuid))
    await destroyOwnDomain(connect, uuid)
    await forgetClone(workspace, uuid)
    transaction.commit()
  })
}

/**
 * Ends as many of the oldest as give back so much; none where all of them would not. The caller holds the lock.
 * @returns how many have gone
 */
export async function relieve(workspace: Workspace, connect: Connect, bytes: number): Promise<number> {
  const members = workspace.isLocked ? await listOwnMembers(workspace, connect) : []
  const held = await Promise.all(members.map(async (one) => (await readHeld(one)).heldBytes))
  if (held.reduce((sum, one) => sum + one, 0) < bytes) return 0
  const count = countRelief(held, 0, bytes)
  for (const member of members.slice(0, count)) await dropMember(workspace, connect, member)
  return count
}

/**
 * Ends the oldest members until so much memory can be had. Does nothing where there is enough, where nothing waits, and for
 * somebody without the lock.
 * @returns how many have gone
 */
export async function makeRoom(
  workspace: Workspace,
  connect: Connect,
  needBytes: number,
  readMemory: ReadMemory = readHostMemory,
): Promise<number> {
  if (!workspace.isLocked) return 0
  const memory = await readMemory()
  if (memory === undefined || memory.availableBytes >= needBytes) return 0
  const members = await listOwnMembers(workspace, connect)
  const held = await Promise.all(members.map(async (one) => (await readHeld(one)).heldBytes))
  const count = countRelief(held, memory.availableBytes, needBytes)
  for (const member of members.slice(0, count)) {
    await dropMember(workspace, connect, member)
    const message = `A machine of the pool of ${member.facts.package} has gone: its memory is needed`
    workspace.outside.emit({ type: 'noted', message })
  }
  return count
}
