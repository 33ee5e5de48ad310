/** What is not as it should be in a topology: orphans, loops, doubles. Marked, never left out. */
import type { DomainFacts } from '../model/libvirt-facts.ts'
import type { Mark, TopologyEdge, TopologyNode } from './topology.ts'

/** @param loops from `findLoops` */
export function findMarks(
  node: TopologyNode,
  edges: readonly TopologyEdge[],
  nodes: readonly TopologyNode[],
  facts: DomainFacts | undefined,
  loops: ReadonlySet<string>,
): readonly Mark[] {
  const marks: (Mark | false)[] =
    node.kind === 'network'
      ? networkMarks(node, edges)
      : node.kind === 'outside'
        ? []
        : machineMarks(node, edges, nodes, facts)
  return [...marks, loops.has(node.id) && ('loop' as const)].filter((mark) => mark !== false)
}

function networkMarks({ id, role, state }: TopologyNode, edges: readonly TopologyEdge[]): (Mark | false)[] {
  const routers = routersOf(id, edges)
  return [
    state === 'missing' && 'missing',
    state === 'inactive' && 'inactive',
    role === 'lan' && routers.size === 0 && 'no-router',
    routers.size > 1 && 'several-routers',
  ]
}

function machineMarks(
  { id, kind }: TopologyNode,
  edges: readonly TopologyEdge[],
  nodes: readonly TopologyNode[],
  facts: DomainFacts | undefined,
): (Mark | false)[] {
  const stateOf = (network: string): string | undefined => nodes.find((node) => node.id === network)?.state
  const above = edges.filter((edge) => edge.to === id)
  const below = edges.filter((edge) => edge.from === id)
  const recorded = facts?.net === undefined ? undefined : `network:${facts.net}`
  const sides = new Set(above.filter((edge) => !isRecordOnly(edge) && !edge.isNext).map(({ from }) => from))
  // Where the network itself is gone, so is the card: that is said already.
  const isCardGone = [
    ...above.map(({ from, link }) => ({ end: from, link })),
    ...below.map(({ to, link }) => ({ end: to, link })),
  ].some(({ end, link }) => link === undefined && stateOf(end) !== 'missing')
  const isOurs = [...sides].some((side) => nodes.some((node) => node.id === side && node.role !== undefined))
  return [
    recorded !== undefined && (stateOf(recorded) === 'missing' || routersOf(recorded, edges).size === 0) && 'no-upper',
    kind === 'router' && above.every(isRecordOnly) && 'no-uplink',
    isCardGone && 'no-card',
    kind === 'router' && below.every(({ to }) => stateOf(to) === 'missing') && 'no-lan',
    sides.size > 1 && isOurs && 'several-networks',
  ]
}

/** Said by the metadata of a machine, while it has no such card. */
function isRecordOnly({ link }: TopologyEdge): boolean {
  return link === undefined
}

/** Machines that serve it: not a network that another shares its bridge with. */
function routersOf(network: string, edges: readonly TopologyEdge[]): ReadonlySet<string> {
  return new Set(edges.filter(({ to, from }) => to === network && from.startsWith('machine:')).map(({ from }) => from))
}

/** Every node that is above itself. */
export function findLoops(edges: readonly TopologyEdge[]): ReadonlySet<string> {
  const below = Map.groupBy(edges, ({ from }) => from)
  const reaches = (start: string): boolean => {
    const seen = new Set<string>()
    const waiting = [start]
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      for (const { to } of below.get(id) ?? []) {
        if (to === start) return true
        if (!seen.has(to)) waiting.push(to)
        seen.add(to)
      }
    }
    return false
  }
  return new Set([...below.keys()].filter(reaches))
}
