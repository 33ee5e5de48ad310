/** The networks of a topology one by one, for a table: whose they are, what stands above and below, who is on them. */
import type { Topology, TopologyEdge, TopologyNode } from './topology.ts'

export interface LanRow {
  readonly network: string
  readonly isForeign: boolean
  readonly state: string
  readonly role: TopologyNode['role']
  readonly layer: TopologyNode['layer']
  readonly cidr: string | undefined
  readonly bridge: string | undefined
  /** Those whose LAN it is: one, where all is well. */
  readonly routers: readonly LanMember[]
  /** Routers that its routers stand behind. */
  readonly uppers: readonly string[]
  /** Routers that stand behind it. */
  readonly lowers: readonly LanMember[]
  readonly clients: readonly LanMember[]
  readonly marks: TopologyNode['marks']
}

export interface LanMember {
  readonly kind: 'router' | 'machine'
  readonly name: string
  readonly state: string
  readonly isForeign: boolean
  /** Its link is down though it runs, or it has no card there. */
  readonly isCut: boolean
  readonly marks: TopologyNode['marks']
}

/** In the order of the topology. */
export function listLans({ nodes, edges }: Topology): readonly LanRow[] {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const above = Map.groupBy(edges, ({ to }) => to)
  const below = Map.groupBy(edges, ({ from }) => from)
  const membersOf = (ends: readonly TopologyEdge[], end: 'from' | 'to'): readonly LanMember[] =>
    [...Map.groupBy(ends, (edge) => edge[end])].flatMap(([id, cards]) => {
      const node = byId.get(id)
      if (node === undefined || (node.kind !== 'router' && node.kind !== 'machine')) return []
      const { kind, name, state = '', isForeign, marks } = node
      return [{ kind, name, state, isForeign, isCut: cards.every((one) => one.isCut || one.link === undefined), marks }]
    })
  return nodes
    .filter(({ kind }) => kind === 'network')
    .map((node): LanRow => {
      const { id, name, isForeign, state = '', role, layer, cidr, bridge, marks } = node
      const routers = membersOf(above.get(id) ?? [], 'from')
      const members = membersOf(below.get(id) ?? [], 'to')
      const upperNetworks = routers.flatMap((router) => above.get(`machine:${router.name}`) ?? [])
      const uppers = upperNetworks.flatMap(({ from }) => membersOf(above.get(from) ?? [], 'from'))
      return {
        network: name,
        isForeign,
        state,
        role,
        layer,
        cidr,
        bridge,
        routers,
        uppers: [...new Set(uppers.map((one) => one.name))],
        lowers: members.filter(({ kind }) => kind === 'router'),
        clients: members.filter(({ kind }) => kind === 'machine'),
        marks,
      }
    })
}
