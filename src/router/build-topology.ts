/**
 * The topology out of what libvirt says, definitions edited by hand included: nothing is taken to be a tree, and what does
 * not fit is marked and stays.
 */
import type {
  CardPlace,
  Known,
  KnownCard,
  KnownMachine,
  KnownNetwork,
  Topology,
  TopologyEdge,
  TopologyNode,
} from './topology.ts'
import { findLoops, findMarks } from './topology-marks.ts'
import { Places } from './topology-places.ts'

/** Foreign machines and networks are in it where they are on a network of vmpkg, or a machine of vmpkg is on theirs. */
export function buildTopology(known: Known): Topology {
  const places = new Places(known)
  const machines = known.machines.filter(({ facts, cards }) =>
    facts === undefined
      ? cards.some(({ place }) => places.isOurs(place))
      : facts.kind === 'router' || facts.net !== undefined || cards.some(({ place }) => place.kind !== 'pci'),
  )
  const edges = [...machines.flatMap((machine) => edgesOf(machine, places)), ...places.shared()]
  const used = new Set(edges.flatMap(({ from, to }) => [from, to]))
  const ours = known.networks.filter(({ name, facts }) => facts !== undefined || used.has(`network:${name}`))
  const described = new Map([...ours.map(networkNode), ...machines.map(machineNode)].map((node) => [node.id, node]))
  const nodes = [...described.values(), ...[...used].filter((id) => !described.has(id)).map(otherNode)]
  const loops = findLoops(edges)
  const marked = nodes.map((node) => {
    const machine = machines.find(({ name }) => `machine:${name}` === node.id)
    const panic = machine?.isPanic === true ? (['panic'] as const) : []
    return { ...node, marks: [...panic, ...findMarks(node, edges, nodes, machine?.facts, loops)] }
  })
  return { nodes: marked.toSorted(compareNodes), edges: edges.toSorted(compareEdges) }
}

function edgesOf({ name, facts, cards, isActive }: KnownMachine, places: Places): readonly TopologyEdge[] {
  const self = `machine:${name}`
  const isRouter = facts?.kind === 'router'
  const isGate = ({ mac }: KnownCard): boolean => isRouter && mac !== undefined && mac === facts.lanMac
  const uplinks = cards.filter((card) => !isGate(card) && card.place.kind !== 'pci')
  // A PCI device is taken for a network card where a router has no other way out.
  const pci = isRouter && uplinks.length === 0 ? cards.filter(({ place }) => place.kind === 'pci') : []
  const edges = [...cards.filter(isGate), ...uplinks, ...pci].map((card): TopologyEdge => {
    const { mac, link, isNext, place } = card
    const other = places.idOf(place)
    return {
      ...(isGate(card) ? { from: self, to: other } : { from: other, to: self }),
      ...(mac === undefined ? {} : { mac }),
      ...(mac !== undefined && mac === facts?.wanMac && facts.wanAddress !== undefined
        ? { address: facts.wanAddress }
        : {}),
      link,
      isCut: link === 'down' && (isActive || !isGate(card)),
      isNext,
    }
  })
  const own = isRouter && facts.instance !== undefined ? [{ from: self, to: `network:${facts.instance}` }] : []
  const above = facts?.net === undefined ? [] : [{ from: `network:${facts.net}`, to: self }]
  const recorded = [...own, ...above].filter((one) => !edges.some(({ from, to }) => from === one.from && to === one.to))
  return [...edges, ...recorded.map((one) => ({ ...one, isCut: false, isNext: false }))]
}

function networkNode({ name, bridge, cidr, isActive, facts }: KnownNetwork): TopologyNode {
  const subnet = facts?.cidr ?? cidr
  return {
    id: `network:${name}`,
    kind: 'network',
    name,
    isForeign: facts === undefined,
    state: isActive ? 'active' : 'inactive',
    ...(facts === undefined ? {} : { role: facts.role, package: facts.package }),
    ...(facts?.layer === undefined ? {} : { layer: facts.layer }),
    ...(subnet === undefined ? {} : { cidr: subnet }),
    ...(bridge === undefined ? {} : { bridge }),
    marks: [],
  }
}

function machineNode({ name, state, facts }: KnownMachine): TopologyNode {
  return {
    id: `machine:${name}`,
    kind: facts?.kind === 'router' ? 'router' : 'machine',
    name,
    isForeign: facts === undefined,
    state,
    ...(facts === undefined ? {} : { package: facts.package }),
    ...(facts?.layer === undefined ? {} : { layer: facts.layer }),
    ...(facts?.endpoints === undefined ? {} : { endpoints: facts.endpoints }),
    ...(facts?.reach === undefined ? {} : { reach: facts.reach }),
    marks: [],
  }
}

/** A place of the host, or a network that only cards and records name. */
function otherNode(id: string): TopologyNode {
  const [, kind = '', name = ''] = /^([a-z]+):(.*)$/s.exec(id) ?? []
  if (kind === 'network') return { id, kind, name, isForeign: false, state: 'missing', marks: [] }
  return { id, kind: 'outside', name, place: kind as CardPlace['kind'], isForeign: false, marks: [] }
}

const KINDS: readonly TopologyNode['kind'][] = ['outside', 'network', 'router', 'machine']

/** Places of the host first, then uplinks and networks of others, LANs, routers, clients; by name within. */
function compareNodes(a: TopologyNode, b: TopologyNode): number {
  const rank = ({ kind, role, state }: TopologyNode): number =>
    KINDS.indexOf(kind) * 3 + (state === 'missing' ? 2 : role === 'lan' ? 1 : 0)
  return rank(a) - rank(b) || compareText(a.id, b.id)
}

function compareEdges(a: TopologyEdge, b: TopologyEdge): number {
  return compareText(a.from, b.from) || compareText(a.to, b.to) || compareText(a.mac ?? '', b.mac ?? '')
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
