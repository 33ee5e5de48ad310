/**
 * VPN servers of a first-layer router: friends and one's own phone reach chosen machines behind it, and nothing else there
 * (requirements VPN-8 to VPN-10), by WireGuard or, where networks let no UDP through, by OpenVPN. Who may is a value of
 * the router's package; rules, keys and addresses follow from it, and a router that runs takes them at once, acknowledged,
 * or stays as it is.
 */
import { listMachines } from '../domain/inventory.ts'
import { VmpkgError } from '../errors.ts'
import { checkTools } from '../host/tools.ts'
import {
  certificateName,
  DEFAULT_OPENVPN_PORT,
  DEFAULT_OPENVPN_SUBNET,
  formatOpenvpnClientFile,
  NAME_BYTES,
  type OpenvpnServer,
  TLS_CRYPT_BYTES,
} from '../router/openvpn-server.ts'
import {
  addPeer,
  checkPeerName,
  checkVpnSubnet,
  parseVpnEndpoint,
  parseVpnPort,
  type Reachable,
  removePeer,
  requireFreeName,
  setPeerMachines,
} from '../router/vpn-clients.ts'
import {
  DEFAULT_VPN_PORT,
  DEFAULT_VPN_SUBNET,
  formatClientFile,
  formatKey,
  publicKeyOf,
  type VpnServer,
  WIREGUARD_DOOR,
} from '../router/vpn-server.ts'
import { makeCertificate } from './certificate.ts'
import { listReachable } from './home.ts'
import { refuseInSession } from './session-mode.ts'
import { drawCode, writeClientFile } from './vpn-client-file.ts'
import { chooseMachines, type ListeningPort, requireFreePort, requireFreeSubnet } from './vpn-server-checks.ts'
import {
  chooseRouter,
  keepServers,
  parameterOf,
  requireServer,
  rowsOf,
  type Servers,
  serverOfClient,
  serversOf,
  storedOf,
  VPN_PROTOCOLS,
  type VpnClientRow,
  type VpnProtocol,
  type VpnRouter,
  type VpnServerRow,
} from './vpn-server-router.ts'
import type { Workspace } from './workspace.ts'

export interface InitRequest {
  /** The only one of the first layer where none is named. */
  readonly router: string | undefined
  readonly protocol: VpnProtocol
  readonly endpoint: string | undefined
  /** `51820`, `tcp/443`. */
  readonly port: string | undefined
  readonly subnet: string | undefined
  readonly dryRun: boolean
}

/** Keys that are there stay; endpoint, port and subnet change where they are given. @throws {VmpkgError} */
export async function initVpnServer(
  workspace: Workspace,
  { router: name, protocol, endpoint, port, subnet, dryRun }: InitRequest,
): Promise<{ readonly changed: boolean; readonly server: VpnServerRow }> {
  refuseInSession(workspace, 'nothing outside reaches the outer address of a router')
  const connect = await workspace.connect()
  const router = await chooseRouter(workspace, connect, name)
  parameterOf(router, protocol)
  const old = router.servers[protocol]
  const listens = choosePort(router.servers, protocol, port)
  requireFreePort(await listMachines(connect), router, protocol, listens)
  const [defaultSubnet, other] =
    protocol === 'openvpn'
      ? [DEFAULT_OPENVPN_SUBNET, router.servers.wireguard]
      : [DEFAULT_VPN_SUBNET, router.servers.openvpn]
  const network = checkVpnSubnet(subnet ?? old?.subnet ?? defaultSubnet)
  if (network !== old?.subnet) await requireFreeSubnet(connect, network, other)
  if (old !== undefined && network !== old.subnet && old.peers.length > 0) {
    throw new VmpkgError('USAGE', `The files of ${old.peers.length} VPN clients name addresses of ${old.subnet}`, {
      hint: 'vmpkg vpn-server remove-client NAME each of them first.',
    })
  }
  const found = endpoint === undefined ? old?.endpoint : parseVpnEndpoint(endpoint, listens.port)
  if (found === undefined) {
    throw new VmpkgError('USAGE', 'Nothing says where clients find the server', {
      hint: 'Add --endpoint with the name or address by which this network is known outside, as in home.example.org.',
    })
  }
  const place = { vmpkg: 1, endpoint: found, port: listens.port, subnet: network } as const
  const change: Partial<Servers> =
    protocol === 'openvpn'
      ? { openvpn: await openvpnServer(workspace, router, { ...place, protocol: listens.protocol }) }
      : { wireguard: wireguardServer(workspace, router, place) }
  const changed = storedOf(router.servers, protocol) !== storedOf(change, protocol)
  if (changed && !dryRun) await keepServers(workspace, connect, router, change)
  const servers = { ...router.servers, ...change }
  return { changed, server: rowOf(router, servers, await listReachable(connect, router.machine), protocol) }
}

type Place = Pick<VpnServer, 'vmpkg' | 'endpoint' | 'port' | 'subnet'>

function wireguardServer(workspace: Workspace, { servers: { wireguard: old } }: VpnRouter, place: Place): VpnServer {
  const { randomness } = workspace.outside
  return { ...place, privateKey: old?.privateKey ?? formatKey(randomness.bytes(32)), peers: old?.peers ?? [] }
}

/** Its name says nothing of the machine or of the router: whoever knocks with a client's file sees it. */
async function openvpnServer(
  workspace: Workspace,
  { servers: { openvpn: old } }: VpnRouter,
  place: Place & Pick<OpenvpnServer, 'protocol'>,
): Promise<OpenvpnServer> {
  if (old !== undefined) return { ...old, ...place }
  const { randomness, processes, signal } = workspace.outside
  const keys = await makeCertificate({ name: 'server', usage: 'server' }, processes, signal)
  const tlsCrypt = Buffer.from(randomness.bytes(TLS_CRYPT_BYTES)).toString('base64')
  return { ...place, ...keys, tlsCrypt, peers: [] }
}

/** @throws {VmpkgError} `USAGE` */
function choosePort({ wireguard, openvpn }: Servers, protocol: VpnProtocol, text: string | undefined): ListeningPort {
  const { protocol: transport, port } =
    text === undefined ? { protocol: undefined, port: undefined } : parseVpnPort(text)
  if (protocol === 'openvpn') {
    const { protocol: before, port: former } = openvpn ?? DEFAULT_OPENVPN_PORT
    return { protocol: transport ?? before, port: port ?? former }
  }
  if (transport === 'tcp') {
    throw new VmpkgError('USAGE', 'WireGuard is spoken over UDP alone', {
      hint: 'For networks that let no UDP through: vmpkg vpn-server init --protocol openvpn.',
    })
  }
  return { protocol: WIREGUARD_DOOR.protocol, port: port ?? wireguard?.port ?? DEFAULT_VPN_PORT }
}

export interface ClientRequest {
  readonly router: string | undefined
  readonly name: string
  /** Machines behind the router. */
  readonly to: readonly string[]
  readonly dryRun: boolean
}

export interface AddClientRequest extends ClientRequest {
  /** WireGuard where none is named and there are both, and the only one otherwise. */
  readonly protocol: VpnProtocol | undefined
  /** Where the file goes; it is not there yet, or `force`. */
  readonly out: string | undefined
  readonly force: boolean
  readonly qr: boolean
}

/** What the client needs is told once and kept nowhere. */
export interface NewClient {
  readonly protocol: VpnProtocol
  readonly client: VpnClientRow
  readonly file: string
  /** As text, where it was asked for. */
  readonly code: string | undefined
}

/** @throws {VmpkgError} `USAGE` `DOMAIN_UNKNOWN` `NETWORK_UNAVAILABLE` `ADDRESS_UNAVAILABLE`, and what the router refuses */
export async function addVpnClient(workspace: Workspace, request: AddClientRequest): Promise<NewClient> {
  const { processes, signal } = workspace.outside
  const connect = await workspace.connect()
  const router = await chooseRouter(workspace, connect, request.router)
  const protocol = requireServer(router, request.protocol)
  if (request.qr) await checkTools(['qrencode'])
  const reachable = await listReachable(connect, router.machine)
  const targets = await chooseMachines(connect, router, reachable, request.to)
  const name = checkPeerName(request.name)
  for (const one of VPN_PROTOCOLS) requireFreeName(router.servers[one]?.peers ?? [], name)
  const { change, file } = await makeClient(workspace, router.servers, protocol, { name, targets })
  const code = request.qr && !request.dryRun ? await drawCode(file, processes, signal) : undefined
  if (!request.dryRun) {
    const undo = request.out === undefined ? undefined : await writeClientFile(request.out, file, request.force)
    try {
      await keepServers(workspace, connect, router, change)
    } catch (error) {
      await undo?.()
      throw error
    }
  }
  return { protocol, client: clientOf(router, { ...router.servers, ...change }, reachable, name), file, code }
}

interface ClientPlan {
  readonly name: string
  readonly targets: readonly Reachable[]
}

async function makeClient(
  { outside: { randomness, processes, signal } }: Workspace,
  { wireguard, openvpn }: Servers,
  protocol: VpnProtocol,
  { name, targets }: ClientPlan,
): Promise<{ readonly change: Partial<Servers>; readonly file: string }> {
  const machines = targets.map(({ uuid }) => uuid)
  if (protocol === 'openvpn' && openvpn !== undefined) {
    const own = certificateName(name, randomness.bytes(NAME_BYTES))
    const keys = await makeCertificate({ name: own, usage: 'client' }, processes, signal)
    const { server, peer } = addPeer(openvpn, { name, certificate: keys.certificate, machines })
    return { change: { openvpn: server }, file: formatOpenvpnClientFile(server, peer, targets, keys) }
  }
  if (wireguard === undefined) throw new TypeError('no server of that protocol')
  const keys = { privateKey: formatKey(randomness.bytes(32)), presharedKey: formatKey(randomness.bytes(32)) }
  const { presharedKey } = keys
  const added = addPeer(wireguard, { name, publicKey: publicKeyOf(keys.privateKey), presharedKey, machines })
  return { change: { wireguard: added.server }, file: formatClientFile(added.server, added.peer, targets, keys) }
}

/** Other machines for a client that is there. @throws {VmpkgError} as `addVpnClient` */
export async function setVpnClient(
  workspace: Workspace,
  request: ClientRequest,
): Promise<{ readonly protocol: VpnProtocol; readonly client: VpnClientRow }> {
  const connect = await workspace.connect()
  const router = await chooseRouter(workspace, connect, request.router)
  const protocol = serverOfClient(router, request.name)
  const reachable = await listReachable(connect, router.machine)
  const targets = await chooseMachines(connect, router, reachable, request.to)
  const machines = targets.map(({ uuid }) => uuid)
  const { wireguard, openvpn } = router.servers
  const change: Partial<Servers> =
    protocol === 'openvpn'
      ? { openvpn: openvpn && setPeerMachines(openvpn, request.name, machines) }
      : { wireguard: wireguard && setPeerMachines(wireguard, request.name, machines) }
  if (!request.dryRun) await keepServers(workspace, connect, router, change)
  return { protocol, client: clientOf(router, { ...router.servers, ...change }, reachable, request.name) }
}

/** @throws {VmpkgError} `USAGE` */
export async function removeVpnClient(
  workspace: Workspace,
  {
    router: chosen,
    name,
    dryRun,
  }: { readonly router: string | undefined; readonly name: string; readonly dryRun: boolean },
): Promise<void> {
  const connect = await workspace.connect()
  const router = await chooseRouter(workspace, connect, chosen)
  const { wireguard, openvpn } = router.servers
  const change: Partial<Servers> =
    serverOfClient(router, name) === 'openvpn'
      ? { openvpn: openvpn && removePeer(openvpn, name) }
      : { wireguard: wireguard && removePeer(wireguard, name) }
  if (!dryRun) await keepServers(workspace, connect, router, change)
}

/** Of all protocols where none is named: ports close; keys and clients are forgotten. False where there was none. */
export async function removeVpnServer(
  workspace: Workspace,
  {
    router: name,
    protocol,
    dryRun,
  }: { readonly router: string | undefined; readonly protocol: VpnProtocol | undefined; readonly dryRun: boolean },
): Promise<{ readonly router: string; readonly changed: boolean }> {
  const connect = await workspace.connect()
  const router = await chooseRouter(workspace, connect, name)
  const meant = VPN_PROTOCOLS.filter(
    (one) => router.servers[one] !== undefined && (protocol === undefined || one === protocol),
  )
  const change: Partial<Servers> = Object.fromEntries(meant.map((one) => [one, undefined]))
  const changed = meant.length > 0
  if (changed && !dryRun) await keepServers(workspace, connect, router, change)
  return { router: router.machine.name, changed }
}

/** Of all routers that have one. */
export async function listVpnServers(workspace: Workspace): Promise<readonly VpnServerRow[]> {
  const connect = await workspace.connectIfRunning()
  if (connect === undefined) return []
  const rows: VpnServerRow[] = []
  for (const machine of (await listMachines(connect)).filter(({ facts }) => facts.kind === 'router')) {
    const servers = serversOf(workspace.installed.find(machine.facts.package)?.parameters ?? {})
    if (VPN_PROTOCOLS.some((one) => servers[one] !== undefined)) {
      rows.push(...rowsOf(machine, servers, await listReachable(connect, machine)))
    }
  }
  return rows
}

function rowOf(
  { machine }: VpnRouter,
  servers: Servers,
  reachable: readonly Reachable[],
  protocol: VpnProtocol,
): VpnServerRow {
  const found = rowsOf(machine, servers, reachable).find((one) => one.protocol === protocol)
  if (found === undefined) throw new TypeError('the server that was changed is not there')
  return found
}

function clientOf(
  { machine }: VpnRouter,
  servers: Servers,
  reachable: readonly Reachable[],
  name: string,
): VpnClientRow {
  const clients = rowsOf(machine, servers, reachable).flatMap((row) => row.clients)
  const found = clients.find((one) => one.name === name)
  if (found === undefined) throw new TypeError('the client that was changed is not there')
  return found
}
