/**
 * Ports of a router's outer address that lead to a client on its LAN. They are recorded at the client, with its card and
 * the address that goes with it; the router's rules follow from that, as they do for the routers behind it.
 */
import { readCards } from '../domain/cards.ts'
import { getMachine, listMachines, listOwnNetworks, type Machine } from '../domain/inventory.ts'
import { formatPlace, type Place, recordPlace } from '../domain/place.ts'
import { VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import { clientAddress } from '../model/lan-address.ts'
import type { PortForward } from '../model/template-context.ts'
import { readDomainFacts } from '../render/facts-xml.ts'
import { comparePorts, formatForward, isSameOuter, MAX_FORWARDS } from '../router/forward.ts'
import type { Definition } from '../state/definitions.ts'
import { listDoors } from './home.ts'
import { intend, transact } from './recover.ts'
import { refuseInSession } from './session-mode.ts'
import { settleInto } from './settle-router.ts'
import { findRouter } from './upper.ts'
import type { Workspace } from './workspace.ts'

export interface ForwardRow {
  readonly router: string
  readonly machine: string
  /** Reserved for it. */
  readonly address: string
  readonly protocol: 'tcp' | 'udp'
  readonly port: number
  readonly target: number
}

export interface ForwardChange {
  readonly changed: boolean
  readonly forwards: readonly ForwardRow[]
}

interface ForwardRequest {
  readonly machine: string
  readonly ports: readonly PortForward[]
  readonly dryRun: boolean
}

/** What is forwarded, router by router; of one machine where it is named. @throws {VmpkgError} `DOMAIN_UNKNOWN` */
export async function listForwards(workspace: Workspace, name: string | undefined): Promise<readonly ForwardRow[]> {
  const connect = await workspace.connectIfRunning()
  if (connect === undefined) return []
  if (name !== undefined) await getMachine(connect, name)
  const machines = await listMachines(connect)
  const clients = machines.filter(({ facts }) => facts.kind !== 'router')
  const rows = clients.flatMap((one) => rowsOf(one.name, one.facts, findRouter(machines, one.facts.net)))
  return rows.filter(({ machine }) => name === undefined || machine === name)
}

function rowsOf(
  name: string,
  { wanAddress: address = '', forwards = [] }: Place,
  router: Machine | undefined,
): readonly ForwardRow[] {
  return forwards.map((one) => ({ router: router?.name ?? '-', machine: name, address, ...one }))
}

/**
 * Undone as a whole where the router does not take it.
 * @throws {VmpkgError} `HOST_UNSUPPORTED` under a session, `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN`, `NETWORK_UNAVAILABLE` for a client that no port can lead to,
 * `ADDRESS_UNAVAILABLE` for a port that is taken, and what settling the router refuses
 */
export async function addForwards(
  workspace: Workspace,
  { machine: name, ports, dryRun }: ForwardRequest,
): Promise<ForwardChange> {
  refuseInSession(workspace, 'nothing outside reaches the outer address of a router')
  const connect = await workspace.connect()
  const machine = await getMachine(connect, name)
  const machines = await listMachines(connect)
  const router = requireRouter(machine, machines)
  const { forwards: before = [] } = machine.facts
  const added = ports.filter((port) => !before.some((one) => formatForward(one) === formatForward(port)))
  for (const [i, port] of added.entries()) requireFree(router, machines, port, added.slice(0, i))
  const doors = listDoors(workspace.installed.find(router.facts.package)?.parameters ?? {})
  const door = added.find((one) => doors.some((other) => isSameOuter(one, { ...other, target: other.port })))
  if (door !== undefined) {
    throw new VmpkgError(
      'ADDRESS_UNAVAILABLE',
      `Port ${door.protocol} ${door.port} of ${router.name} is where VPN clients come in`,
      {
        hint: 'Choose another port, or move the server: vmpkg vpn-server init --port.',
      },
    )
  }
  const forwards = [...before, ...added].toSorted(comparePorts)
  if (forwards.length > MAX_FORWARDS) {
    throw new VmpkgError('ADDRESS_UNAVAILABLE', `At most ${MAX_FORWARDS} ports lead to one machine`, {
      hint: `vmpkg port-forward list ${name}`,
    })
  }
  const place = { net: machine.facts.net, ...(await placeOf(connect, machine)), forwards }
  return change(workspace, connect, { machine, router, place, dryRun, changed: added.length > 0 })
}

/** All of them where no port is named. @throws {VmpkgError} `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN` `USAGE` */
export async function removeForwards(
  workspace: Workspace,
  { machine: name, ports, dryRun }: ForwardRequest,
): Promise<ForwardChange> {
  const connect = await workspace.connect()
  const machine = await getMachine(connect, name)
  const { net, forwards: before = [] } = machine.facts
  for (const port of ports) {
    if (before.some((one) => isSameOuter(one, port))) continue
    throw new VmpkgError('USAGE', `No port ${port.protocol} ${port.port} leads to ${name}`, {
      hint: `vmpkg port-forward list ${name}`,
    })
  }
  const forwards = ports.length === 0 ? [] : before.filter((one) => !ports.some((port) => isSameOuter(one, port)))
  const { wanMac, wanAddress } = machine.facts
  const place = forwards.length === 0 ? { net } : { net, wanMac, wanAddress, forwards }
  const router = findRouter(await listMachines(connect), net)
  const changed = forwards.length < before.length
  return change(workspace, connect, { machine, router, place, dryRun, changed })
}

interface PlannedChange {
  readonly machine: Machine
  readonly router: Machine | undefined
  readonly place: Place
  readonly dryRun: boolean
  readonly changed: boolean
}

async function change(
  workspace: Workspace,
  connect: Connect,
  { machine, router, place, dryRun, changed }: PlannedChange,
): Promise<ForwardChange> {
  const { name, domain, facts } = machine
  const result = { changed, forwards: rowsOf(name, place, router) }
  if (dryRun || !changed) return result
  await transact(workspace, { operation: 'port-forward', subject: name }, async (transaction) => {
    intend(transaction, { kind: 'restore-place', uuid: domain.uuid, place: formatPlace(facts) })
    await recordPlace(domain, place)
    const before = router && workspace.definitions.find(router.domain.uuid)
    const after = router && (await settleInto(workspace, connect, transaction, router))
    if (router !== undefined) requireEffect(router, before, after, place)
    transaction.commit(() => {
      if (after !== undefined) workspace.definitions.put(after)
    })
  })
  return result
}

/** An older version of its package renders rules that know nothing of ports. @throws {VmpkgError} `NETWORK_UNAVAILABLE` */
function requireEffect(
  { name, facts }: Machine,
  before: Definition | undefined,
  after: Definition | undefined,
  { forwards = [] }: Place,
): void {
  if (forwards.length === 0 || before === undefined || after === undefined) return
  if (readDomainFacts(before.rendered)?.rules !== readDomainFacts(after.rendered)?.rules) return
  throw new VmpkgError('NETWORK_UNAVAILABLE', `${name} forwards no ports: version ${facts.version} does not know how`, {
    hint: `vmpkg upgrade ${facts.package}`,
  })
}

/** @throws {VmpkgError} `NETWORK_UNAVAILABLE` */
function requireRouter({ name, facts }: Machine, machines: readonly Machine[]): Machine {
  const refuse = (reason: string, hint: string): VmpkgError =>
    new VmpkgError('NETWORK_UNAVAILABLE', `No port can lead to ${name}: ${reason}`, { hint })
  if (facts.kind === 'router') throw refuse('it is a router', 'Name a machine behind one.')
  const router = findRouter(machines, facts.net)
  if (router === undefined) throw refuse('it is on no LAN of a router', 'vmpkg net list shows who is where.')
  if (router.facts.layer !== 'uni') {
    throw refuse(
      `${router.name} is of layer ${router.facts.layer}, and what came in beside its tunnel would be answered beside it`,
      `Only the first layer forwards ports: vmpkg net move ${name} NETWORK puts it there.`,
    )
  }
  return router
}

/** @throws {VmpkgError} `ADDRESS_UNAVAILABLE` */
function requireFree(
  router: Machine,
  machines: readonly Machine[],
  port: PortForward,
  others: readonly PortForward[],
): void {
  const words = `${port.protocol} ${port.port} of ${router.name}`
  if (port.protocol === 'udp' && (port.port === 67 || port.port === 68)) {
    throw new VmpkgError('ADDRESS_UNAVAILABLE', `Port ${words} is for its own lease`, { hint: 'Choose another port.' })
  }
  const holder = machines.find(
    ({ facts }) =>
      facts.net === router.facts.instance && facts.forwards?.some((one) => isSameOuter(one, port)) === true,
  )
  if (holder === undefined && !others.some((one) => isSameOuter(one, port))) return
  throw new VmpkgError('ADDRESS_UNAVAILABLE', `Port ${words} leads to ${holder?.name ?? 'another port'} already`, {
    hint:
      holder === undefined
        ? 'Name each port once.'
        : `vmpkg port-forward remove ${holder.name} ${port.protocol}/${port.port}`,
  })
}

/** Its card on that LAN, and the address that goes with it. @throws {VmpkgError} `NETWORK_UNAVAILABLE` */
async function placeOf(connect: Connect, { name, domain, facts, xml }: Machine): Promise<Place> {
  if (facts.wanMac !== undefined && facts.wanAddress !== undefined) {
    return { wanMac: facts.wanMac, wanAddress: facts.wanAddress }
  }
  const running = (await domain.isActive()) ? await domain.getXMLDesc() : undefined
  const card = readCards(xml, running).find(({ place }) => place.kind === 'network' && place.name === facts.net)
  const lan = (await listOwnNetworks(connect)).find((one) => one.name === facts.net)
  if (card?.mac === undefined || lan === undefined) {
    throw new VmpkgError('NETWORK_UNAVAILABLE', `${name} has no card on ${facts.net ?? 'a LAN'}`, {
      hint: 'vmpkg net graph shows what it is on.',
    })
  }
  const address = clientAddress(lan.facts.cidr, card.mac)
  if (address === undefined) {
    throw new VmpkgError(
      'NETWORK_UNAVAILABLE',
      `${name} has no address of its own on ${lan.name}: vmpkg did not plan its card`,
      {
        hint: 'Only machines that vmpkg clone made have one.',
      },
    )
  }
  return { wanMac: card.mac, wanAddress: address }
}
