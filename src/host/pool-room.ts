/**
 * How many booted machines may wait in memory, and when they have to go. Pure.
 *
 * Source: proc_meminfo(5); Linux Documentation/accounting/psi.rst: `some avg10` is the share of the last ten seconds in which
 * some task waited for memory.
 */

const MIB = 1024 ** 2
const LEAST_RESERVE = 256 * MIB
/** Percent of time. Below it a host under load is well; a desktop is felt to be slow from some 10 % on. */
const STALLED_PERCENT = 10
/** What QEMU takes beside the guest's memory. */
const OVERHEAD_BYTES = 64 * MIB

export interface HostMemory {
  readonly totalBytes: number
  readonly availableBytes: number
  /** `some avg10`, in percent; 0 where the kernel does not tell. */
  readonly stalledPercent: number
}

/** @param pressure text of /proc/pressure/memory, empty where there is none */
export function parseHostMemory(meminfo: string, pressure: string): HostMemory | undefined {
  const read = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(meminfo)?.[1] ?? Number.NaN)
  const [total, available] = [read('MemTotal'), read('MemAvailable')]
  if (Number.isNaN(total) || Number.isNaN(available)) return undefined
  const stalled = Number(/^some avg10=(\d+\.\d+)/m.exec(pressure)?.[1] ?? 0)
  return { totalBytes: total * 1024, availableBytes: available * 1024, stalledPercent: stalled }
}

/** What stays free of pools: a tenth of the memory, in whole bytes, so that sums are exact. */
export function reserveBytes({ totalBytes }: HostMemory): number {
  return Math.max(LEAST_RESERVE, Math.ceil(totalBytes / 10))
}

function isStalled({ stalledPercent }: HostMemory): boolean {
  return stalledPercent >= STALLED_PERCENT
}

/** All that one member can come to take. @param diskBytes of its disk in memory; 0 where it writes elsewhere */
export function memberNeed(memoryBytes: number, diskBytes: number): number {
  return memoryBytes + OVERHEAD_BYTES + diskBytes
}

/** How many could ever wait on such a host. */
export function countPossible(memory: HostMemory, needBytes: number): number {
  return Math.max(0, Math.floor((memory.totalBytes - reserveBytes(memory)) / needBytes))
}

export interface PoolMember {
  readonly uuid: string
  readonly package: string
  /** The process that was to finish it is gone. */
  readonly isAbandoned: boolean
  /** What `clone` would make now is what it is. */
  readonly isFresh: boolean
  readonly heldBytes: number
}

export interface PoolDemand {
  readonly package: string
  readonly size: number
  /** Of one member; `undefined` where none can be made, as its package is not installed. */
  readonly needBytes: number | undefined
}

export type DropReason = 'abandoned' | 'stale' | 'surplus' | 'memory'

export interface PoolPlan {
  readonly drop: readonly { readonly uuid: string; readonly reason: DropReason }[]
  readonly make: readonly { readonly package: string; readonly count: number }[]
  /** Members for which there is no memory now. */
  readonly short: readonly { readonly package: string; readonly count: number }[]
}

/**
 * @param members the oldest first
 * @param promisedBytes what machines have been promised of the available memory and do not use yet
 */
export function planPools(
  demands: readonly PoolDemand[],
  members: readonly PoolMember[],
  memory: HostMemory,
  promisedBytes: number,
): PoolPlan {
  const drop = new Map<string, DropReason>()
  const wanted = new Map(
    demands.filter(({ needBytes }) => needBytes !== undefined).map((one) => [one.package, one.size]),
  )
  const kept = new Map<string, number>()
  for (const { uuid, package: name, isAbandoned, isFresh } of members) {
    const count = kept.get(name) ?? 0
    if (isAbandoned) drop.set(uuid, 'abandoned')
    else if (!isFresh) drop.set(uuid, 'stale')
    else if (count >= (wanted.get(name) ?? 0)) drop.set(uuid, 'surplus')
    else kept.set(name, count + 1)
  }
  let freed = members.filter(({ uuid }) => drop.has(uuid)).reduce((sum, { heldBytes }) => sum + heldBytes, 0)
  const reserve = reserveBytes(memory)
  let isTight = isStalled(memory) && drop.size === 0
  for (const { uuid, package: name, heldBytes } of members) {
    if (drop.has(uuid) || (memory.availableBytes + freed >= reserve && !isTight)) continue
    drop.set(uuid, 'memory')
    kept.set(name, (kept.get(name) ?? 1) - 1)
    freed += heldBytes
    isTight = false // one at a time: what it brings shows only after some seconds
  }
  const isUnderPressure = isStalled(memory) || [...drop.values()].includes('memory')
  let room = isUnderPressure ? 0 : memory.availableBytes + freed - promisedBytes - reserve
  const make: { package: string; count: number }[] = []
  const short: { package: string; count: number }[] = []
  for (const { package: name, size, needBytes } of demands) {
    if (needBytes === undefined) continue
    const missing = size - (kept.get(name) ?? 0)
    const count = Math.min(missing, Math.max(0, Math.floor(room / needBytes)))
    room -= count * needBytes
    if (count > 0) make.push({ package: name, count })
    if (count < missing) short.push({ package: name, count: missing - count })
  }
  return { drop: [...drop].map(([uuid, reason]) => ({ uuid, reason })), make, short }
}

/** How many of the oldest have to go so that so much can be had. */
export function countRelief(heldBytes: readonly number[], availableBytes: number, needBytes: number): number {
  let [count, available] = [0, availableBytes]
  for (const held of heldBytes) {
    if (available >= needBytes) break
    available += held
    count++
  }
  return count
}
