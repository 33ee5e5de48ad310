/** A topology as trees, for those who read it from above: every node once in full, and named again wherever else it is. */
import type { Topology, TopologyEdge, TopologyNode } from './topology.ts'

export interface Branch {
  readonly node: TopologyNode
  /** From the node above; none at a root. */
  readonly edge?: TopologyEdge
  /** It is shown in full elsewhere, so nothing is below it here. */
  readonly isRepeated: boolean
  readonly branches: readonly Branch[]
}

/**
 * Each edge is in it once, whatever the graph is: what stands below itself is named again, and not followed. Roots are
 * the nodes with nothing above, then of each loop the first one.
 */
export function growTrees({ nodes, edges }: Topology): readonly Branch[] {
  const known = new Map(nodes.map((node, rank) => [node.id, { node, rank }]))
  const below = Map.groupBy(edges, ({ from }) => from)
  const grown = new Set<string>()
  const grow = (node: TopologyNode, edge?: TopologyEdge): Branch => {
    const isRepeated = grown.has(node.id)
    grown.add(node.id)
    const next = isRepeated ? [] : (below.get(node.id) ?? [])
    const lower = next.flatMap((one) => {
      const found = known.get(one.to)
      return found === undefined ? [] : [{ ...found, edge: one }]
    })
    const branches = lower.toSorted((a, b) => a.rank - b.rank).map((one) => grow(one.node, one.edge))
    return { node, ...(edge === undefined ? {} : { edge }), isRepeated, branches }
  }
  const lowers = new Set(edges.map(({ to }) => to))
  const roots = nodes.filter(({ id }) => !lowers.has(id)).map((node) => grow(node))
  return [...roots, ...nodes.flatMap((node) => (grown.has(node.id) ? [] : [grow(node)]))]
}
