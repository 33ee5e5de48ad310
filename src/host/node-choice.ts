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
  const limits = new Map(
    [...byNode].map(([node, cores]) => [node, Math.min(cores.length, memoryGroup(node, request).limit)]),
  )
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
  const memoryGroups = new Map(nodes.map((node) => [node, memoryGroup(node, request)]))
  for (const sets of nodeSets(nodes, limits, request.coreCount, context)) {
    let best: (NodeChoice & { left: number }) | undefined
    for (const set of sets) {
      const counts = share(set, limits, memoryGroups, request.coreCount)
      if (counts === undefined) continue
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
/** Up to so many sets of three and more nodes are all tried. */
const COMBINATIONS = 300

/** Sets of nodes that together hold enough cores, by number of nodes: all of them where they are few, else the nearest together. */
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
    } else if (countCombinations(nodes.length, size) <= COMBINATIONS) {
      yield [...combinations(nodes, size)].filter((set) => sumOf(set, limitOf) >= coreCount)
    } else {
      const near = nodes.map((start) => grow(start, size, nodes, remoteShare))
      const sets = [...near, bySize.slice(0, size).toSorted((a, b) => a - b)]
      const distinct = new Map(sets.map((set) => [set.join(), set]))
      yield [...distinct.values()].filter((set) => sumOf(set, limitOf) >= coreCount)
    }
  }
}

function countCombinations(of: number, size: number): number {
  let count = 1
  for (let i = 0; i < size; i++) count = (count * (of - i)) / (i + 1)
  return count
}

function* combinations(nodes: readonly number[], size: number): Generator<number[]> {
  if (size === 0) yield []
  else {
    for (const [i, node] of nodes.slice(0, nodes.length - size + 1).entries()) {
      for (const rest of combinations(nodes.slice(i + 1), size - 1)) yield [node, ...rest]
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

interface MemoryGroup {
  /** The node that the memory comes from. */
  readonly source: number
  /** Cores that may have memory from there; nodes without memory share that of another. */
  readonly limit: number
}

function memoryGroup(node: number, { topology, cores, coreCount, memoryKib, capacityKib }: NodeRequest): MemoryGroup {
  const source = memoryNodeOf(topology, node)
  const known = capacityKib === undefined || node === -1 ? undefined : (capacityKib.get(source) ?? 0)
  return { source, limit: known === undefined ? cores.length : Math.floor((known * coreCount) / memoryKib) }
}

/** `total` cores in parts as even as the limits allow, at least one in each; undefined where they do not hold it. */
function share(
  set: readonly number[],
  limits: ReadonlyMap<number, number>,
  groups: ReadonlyMap<number, MemoryGroup>,
  total: number,
): number[] | undefined {
  const counts = set.map(() => 0)
  const used = new Map<number, number>()
  for (let left = total; left > 0; left--) {
    let next = -1
    for (const [i, node] of set.entries()) {
      const group = groups.get(node)
      const isOpen = group !== undefined && (used.get(group.source) ?? 0) < group.limit
      const count = counts[i] ?? 0
      if (isOpen && count < (limits.get(node) ?? 0) && (next === -1 || count < (counts[next] ?? 0))) next = i
    }
    const group = groups.get(set[next] ?? -1)
    if (next === -1 || group === undefined) return undefined
    counts[next] = (counts[next] ?? 0) + 1
    used.set(group.source, (used.get(group.source) ?? 0) + 1)
  }
  return counts.includes(0) ? undefined : counts
}

function sumOf<T>(items: readonly T[], valueOf: (item: T) => number): number {
  return items.reduce((sum, item) => sum + valueOf(item), 0)
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
