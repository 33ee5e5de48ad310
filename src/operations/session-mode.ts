/**
 * Machines under `qemu:///session`, where libvirt has no rights: LANs are folders of sockets (`render/socket-cards.ts`), the
 * uplink is QEMU's user-mode network, and nothing of the host stands between a machine and its LAN.
 */
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { absent, listOwnNetworks } from '../domain/inventory.ts'
import { VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import { LAN_PORTS, listSocketCards } from '../render/socket-cards.ts'
import { prepareFolder } from '../state/folders.ts'
import { findElement, findElements, getAttribute, getText } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import { isSession } from './connection-name.ts'
import type { Workspace } from './workspace.ts'

/** Of QEMU's user-mode network: the host, its resolver and the router's own address are in it. */
export const USER_NETWORK = {
  cidr: '10.0.2.0/24',
  address: '10.0.2.2',
  netmask: '255.255.255.0',
  rangeFirst: '10.0.2.15',
  rangeLast: '10.0.2.30',
} as const

/** What the other ways promise and this one cannot, a sentence each; docs/host.md has the table. */
const SESSION_LIMITS: readonly string[] = [
  'machines on one LAN hear and reach each other, and each can send with any address: no filter stands before a port',
  'whatever runs as your user can join a LAN: a LAN is a folder of sockets that only you may enter',
  'a router that is broken into reaches services on this host’s loopback by 10.0.2.2; its own rules keep clients from it',
  'no port of a router can be reached from outside, and no machine moves to another LAN',
]

/** None but under a session. */
export function limitsOf({ connectionName }: Pick<Workspace, 'connectionName'>): readonly string[] {
  return isSession(connectionName) ? SESSION_LIMITS : []
}

type Session = Pick<Workspace, 'connectionName' | 'connectionPaths'>

/** Holds a folder for each LAN; `undefined` where LANs are bridges. */
export function socketFolder({ connectionName, connectionPaths }: Session): string | undefined {
  return isSession(connectionName) ? connectionPaths.sockets : undefined
}

/** @throws {VmpkgError} `HOST_UNSUPPORTED` under a session libvirt */
export function refuseInSession({ connectionName }: Pick<Workspace, 'connectionName'>, what: string): void {
  if (!isSession(connectionName)) return
  throw new VmpkgError('HOST_UNSUPPORTED', `Not under ${connectionName}: ${what}`, {
    hint: 'Use --connect private, or --connect qemu:///system as root; vmpkg doctor says what keeps private hosts from running.',
  })
}

/**
 * Of a definition that was made elsewhere: cards on bridges do not come up under a session, and sockets lead nowhere beside it.
 * @throws {VmpkgError} `HOST_UNSUPPORTED`
 */
export function refuseOtherCards({ connectionName }: Pick<Workspace, 'connectionName'>, xml: string): void {
  const isJoined = listSocketCards(xml).length > 0
  const onBridges = findElements(parseXml(xml).root, 'devices/interface').some((card) =>
    ['network', 'bridge'].includes(getAttribute(card, 'type') ?? ''),
  )
  if (isSession(connectionName) ? !onBridges : !isJoined) return
  const where = isJoined ? 'a qemu:///session, on sockets' : 'a libvirt with bridges'
  throw new VmpkgError('HOST_UNSUPPORTED', `Its cards are those of ${where}, and ${connectionName} has none`, {
    hint: 'Bring it back where it was made (--connect), or clone the package here and copy files with vmpkg cp.',
  })
}

const told = new WeakSet<object>()

/** Once a command, where a router is made or started. */
export function tellLimits({ connectionName, outside }: Pick<Workspace, 'connectionName' | 'outside'>): void {
  if (!isSession(connectionName) || told.has(outside)) return
  told.add(outside)
  const message = `Under ${connectionName} ${SESSION_LIMITS[0]}; vmpkg status names all that it cannot promise`
  outside.emit({ type: 'noted', message })
}

/** The lowest number that no machine has on that LAN. @throws {VmpkgError} `ADDRESS_UNAVAILABLE` */
export async function planPort(connect: Connect, network: string): Promise<number> {
  const [port] = await planPorts(connect, network, 1)
  return port ?? 0
}

/** @throws {VmpkgError} `ADDRESS_UNAVAILABLE` where not all have room */
export async function planPorts(connect: Connect, network: string, count: number): Promise<readonly number[]> {
  const taken = new Set((await readPorts(connect)).filter((one) => one.network === network).map(({ port }) => port))
  const free = Array.from({ length: LAN_PORTS }, (_, index) => index + 1).filter((port) => !taken.has(port))
  if (free.length >= count) return free.slice(0, count)
  throw new VmpkgError('ADDRESS_UNAVAILABLE', `${network} has room for ${free.length} more machines, not ${count}`, {
    hint: `Under qemu:///session ${LAN_PORTS} machines stand on one LAN: remove some, or take another router with --net.`,
  })
}

interface KnownPort {
  readonly uuid: string
  readonly machine: string
  readonly network: string
  readonly port: number
}

/** Of what is defined and what runs. */
async function readPorts(connect: Connect): Promise<readonly KnownPort[]> {
  const known: KnownPort[] = []
  for (const domain of await connect.listAllDomains()) {
    const stored = await domain.getXMLDesc({ flags: ['inactive'] }).catch(absent('noDomain'))
    for (const { network, port } of listSocketCards(stored ?? '<domain/>')) {
      if (port !== undefined) known.push({ uuid: domain.uuid, machine: domain.name, network, port })
    }
  }
  return known
}

/**
 * Before a machine starts: the folders of its LANs, which a reboot takes, and nobody else's sockets, for QEMU takes the place
 * of a socket that is there.
 * @throws {VmpkgError} `ADDRESS_UNAVAILABLE`
 */
export async function prepareSockets(workspace: Session, connect: Connect, xml: string): Promise<void> {
  const folder = socketFolder(workspace)
  const cards = folder === undefined ? [] : listSocketCards(xml).filter(({ port }) => port !== undefined)
  if (folder === undefined || cards.length === 0) return
  const uuid = findElement(parseXml(xml).root, 'uuid')
  const own = uuid === undefined ? '' : getText(uuid).trim()
  const known = await readPorts(connect)
  prepareFolder(folder, 0o700)
  for (const { network, port } of cards) {
    const other = known.find((one) => one.uuid !== own && one.network === network && one.port === port)
    if (other !== undefined) {
      throw new VmpkgError('ADDRESS_UNAVAILABLE', `Port ${port} of ${network} is that of ${other.machine}`, {
        hint: `Remove one of the two, or make it anew: vmpkg clone --net ${network}.`,
      })
    }
    prepareFolder(join(folder, network), 0o700)
  }
}

/** Of LANs that are gone. */
export async function tidySockets(workspace: Session, connect: Connect): Promise<void> {
  const folder = socketFolder(workspace)
  if (folder === undefined) return
  const known = new Set((await listOwnNetworks(connect)).map(({ name }) => name))
  const found = await readdir(folder).catch(() => [])
  for (const name of found) if (!known.has(name)) await rm(join(folder, name), { recursive: true, force: true })
}
