/**
 * On which NUMA nodes a guest lies, and with how many cores on each: on one where that can be, else on as few as can be,
 * split as evenly as they allow, so that the guest's own nodes are alike.
 */
import { chooseCores } from './core-choice.ts'
import { type CostContext, costOfParts, type FreeCore, type NodePart, summarisePart } from './placement-cost.ts'
import { type HostTopology, nodeDistance } from './topology.ts'

export interface NodeShare {
  /** -1 on hosts without NUMA. */
  readonly node: number
  readonly cores: readonly FreeCore[]
}

export interface NodeRequest {
  readonly topology: HostTopology
  readonly cores: readonly FreeCore[]
  readonly coreCount: number
  readonly threads: number
  readonly memoryKib: number
  /** How much memory a guest may take from each memory node; absent where that is not known. */
  readonly capacityKib: ReadonlyMap<number, number> | undefined
}

export interface NodeChoice {
  readonly shares: readonly NodeShare[]
  readonly cost: number
}

/** The cheapest choice found; undefined where the cores or the memory do not suffice. */
export function chooseNodes(request: NodeRequest, context: CostContext): NodeChoice | undefined {
  const byNode = Map.groupBy(request.cores, ({ node }) => node)
  const limits = new Map([...byNode].map(([node, cores]) => [node, coreLimit(node, cores.length, request)]))
  const nodes = [...byNode.keys()].filter((node) => (limits.get(node) ?? 0) > 0).toSorted((a, b) => a - b)
  const memo = new Map<string, { readonly cores: readonly FreeCore[]; readonly part: NodePart }>()
  const pick = (node: number, count: number) => {
    const key = `${node} ${count}`
    const known = memo.get(key)
    if (known !== undefined) return known
    const cores = chooseCores(byNode.get(node) ?? [], count)
    const picked = { cores, part: summarisePart(node, cores) }
    memo.set(key, picked)
    return picked
  }
  const memoryNodes = new Map(nodes.map((node) => [node, memoryNodeOf(request.topology, node)]))
  for (const sets of nodeSets(nodes, limits, request.coreCount, context)) {
    let best: (NodeChoice & { left: number }) | undefined
    for (const set of sets) {
      const counts = share(
        set.map((node) => limits.get(node) ?? 0),
        request.coreCount,
      )
      if (counts === undefined || !isMemoryEnough(set, counts, memoryNodes, request)) continue
      const picked = set.map((node, i) => pick(node, counts[i] ?? 0))
      const cost = costOfParts(
        picked.map(({ part }) => part),
        request.threads,
        context,
      )
      // Among equals the fullest: what is left elsewhere stays in one piece.
      const left = set.reduce((sum, node) => sum + (byNode.get(node)?.length ?? 0), -request.coreCount)
      if (best === undefined || cost < best.cost || (cost === best.cost && left < best.left)) {
        best = { shares: set.map((node, i) => ({ node, cores: picked[i]?.cores ?? [] })), cost, left }
      }
    }
    if (best !== undefined) return { shares: best.shares, cost: best.cost }
  }
  return undefined
}

/** Of hosts with more nodes than this, only the nearest partners of a node are tried in pairs. */
const PARTNERS = 16

/** Sets of nodes that together hold enough cores, by number of nodes: all of one and (up to 17 nodes) two, then the nearest together. */
function* nodeSets(
  nodes: readonly number[],
  limits: ReadonlyMap<number, number>,
  coreCount: number,
  { remoteShare }: CostContext,
): Generator<readonly (readonly number[])[]> {
  const limitOf = (node: number): number => limits.get(node) ?? 0
  const bySize = nodes.toSorted((a, b) => limitOf(b) - limitOf(a) || a - b)
  for (let size = 1; size <= nodes.length && size <= coreCount; size++) {
    if (sumOf(bySize.slice(0, size), limitOf) < coreCount) continue
    if (size === 1) yield nodes.filter((node) => limitOf(node) >= coreCount).map((node) => [node])
    else if (size === 2) {
      const pairs = nodes.flatMap((a, i) =>
        nodes
          .slice(i + 1)
          .filter((b) => limitOf(a) + limitOf(b) >= coreCount)
          .map((b) => [a, b, remoteShare(a, b)] as const)
          .toSorted((one, other) => one[2] - other[2])
          .slice(0, PARTNERS),
      )
      yield pairs.map(([a, b]) => [a, b])
    } else {
      const near = nodes.map((start) => grow(start, size, nodes, remoteShare))
      const sets = [...near, bySize.slice(0, size).toSorted((a, b) => a - b)]
      const distinct = new Map(sets.map((set) => [set.join(), set]))
      yield [...distinct.values()].filter((set) => sumOf(set, limitOf) >= coreCount)
    }
  }
}

/** A node and those nearest to it and to each other. */
function grow(
  start: number,
  size: number,
  nodes: readonly number[],
  remoteShare: (from: number, to: number) => number,
): number[] {
  const set = [start]
  const lost = new Map(nodes.filter((node) => node !== start).map((node) => [node, remoteShare(node, start)]))
  while (set.length < size && lost.size > 0) {
    let next: [number, number] | undefined
    for (const entry of lost) if (next === undefined || entry[1] < next[1]) next = entry
    const [node] = next ?? [start]
    set.push(node)
    lost.delete(node)
    for (const [other, sum] of lost) lost.set(other, sum + remoteShare(other, node))
  }
  return set.toSorted((a, b) => a - b)
}

/** `total` in parts as even as the limits allow, at least one in each; undefined where they do not hold it. */
function share(limits: readonly number[], total: number): number[] | undefined {
  if (limits.length > total || sumOf(limits, (limit) => limit) < total) return undefined
  const counts = limits.map(() => 0)
  for (let left = total; left > 0; left--) {
    let next = -1
    for (const [i, limit] of limits.entries()) {
      const count = counts[i] ?? 0
      if (count < limit && (next === -1 || count < (counts[next] ?? 0))) next = i
    }
    counts[next] = (counts[next] ?? 0) + 1
  }
  return counts
}

function sumOf<T>(items: readonly T[], valueOf: (item: T) => number): number {
  return items.reduce((sum, item) => sum + valueOf(item), 0)
}

/** Cores of a node that a guest can use with its part of the memory beside them. */
function coreLimit(node: number, cores: number, request: NodeRequest): number {
  const capacity = request.capacityKib?.get(memoryNodeOf(request.topology, node))
  if (request.capacityKib === undefined || node === -1) return cores
  return Math.min(cores, Math.floor(((capacity ?? 0) * request.coreCount) / request.memoryKib))
}

function isMemoryEnough(
  set: readonly number[],
  counts: readonly number[],
  memoryNodes: ReadonlyMap<number, number>,
  { capacityKib, memoryKib, coreCount }: NodeRequest,
): boolean {
  if (capacityKib === undefined || set.includes(-1)) return true
  const wanted = new Map<number, number>()
  for (const [i, node] of set.entries()) {
    const from = memoryNodes.get(node) ?? node
    wanted.set(from, (wanted.get(from) ?? 0) + (memoryKib * (counts[i] ?? 0)) / coreCount)
  }
  return [...wanted].every(([node, kib]) => kib <= (capacityKib.get(node) ?? 0))
}

/** The node itself, or the nearest one that has memory. */
export function memoryNodeOf(topology: HostTopology, node: number): number {
  if (node === -1) return -1
  const holders = topology.nodes.filter(({ memoryKib }) => memoryKib > 0).map(({ id }) => id)
  if (holders.length === 0 || holders.includes(node)) return node
  return (
    holders.toSorted((a, b) => nodeDistance(topology, node, a) - nodeDistance(topology, node, b) || a - b)[0] ?? node
  )
}
