/**
 * The VPN server of a first-layer router: friends and one's own phone reach chosen machines behind it, and nothing else
 * there (requirements VPN-8 to VPN-10). Who may is a value of the router's package; rules, keys and addresses follow from
 * it, and a router that runs takes them at once, acknowledged, or stays as it is.
 */
import { lstat, rm } from 'node:fs/promises'
import { getMachine, listMachines, listOwnNetworks, type Machine } from '../domain/inventory.ts'
import { replaceFile } from '../durable-file.ts'
import { systemErrorCode, VmpkgError } from '../errors.ts'
import { checkTools } from '../host/tools.ts'
import type { Connect } from '../libvirt/connect.ts'
import { grantName } from '../model/capability.ts'
import type { ParameterValues } from '../model/manifest.ts'
import { overlaps, parseSubnet } from '../model/subnet.ts'
import type { Processes } from '../ports.ts'
import {
  addPeer,
  checkPeerName,
  checkVpnSubnet,
  formatClientFile,
  formatKey,
  parseVpnEndpoint,
  publicKeyOf,
  type Reachable,
  removePeer,
  setPeerMachines,
  type VpnServer,
} from '../router/vpn-server.ts'
import type { InstalledPackage } from '../state/installed.ts'
import { findVpnServer, findVpnServerParameter, storeVpnServer } from './file-parameters.ts'
import { listReachable } from './home.ts'
import { type LoadedPackage, loadPackage } from './package-store.ts'
import { transact } from './recover.ts'
import { refuseInSession } from './session-mode.ts'
import { settleInto } from './settle-router.ts'
import type { Workspace } from './workspace.ts'

export interface VpnClientRow {
  readonly name: string
  readonly address: string
  readonly publicKey: string
  /** Those that are there. */
  readonly machines: readonly { readonly name: string; readonly address: string }[]
}

export interface VpnServerRow {
  readonly router: string
  readonly endpoint: string
  readonly port: number
  readonly subnet: string
  readonly publicKey: string
  readonly clients: readonly VpnClientRow[]
}

interface Router {
  readonly machine: Machine
  readonly installed: InstalledPackage
  readonly pkg: LoadedPackage
  readonly parameter: string
  readonly server: VpnServer | undefined
}

export interface InitRequest {
  /** The only one of the first layer where none is named. */
  readonly router: string | undefined
  readonly endpoint: string | undefined
  readonly port: number | undefined
  readonly subnet: string | undefined
  readonly dryRun: boolean
}

/** Keys that are there stay; endpoint, port and subnet change where they are given. @throws {VmpkgError} */
export async function initVpnServer(
  workspace: Workspace,
  { router: name, endpoint, port, subnet, dryRun }: InitRequest,
  defaults: { readonly port: number; readonly subnet: string },
): Promise<{ readonly changed: boolean; readonly server: VpnServerRow }> {
  refuseInSession(workspace, 'nothing outside reaches the outer address of a router')
  const connect = await workspace.connect()
  const router = await chooseRouter(workspace, connect, name)
  const { server: old } = router
  const listens = port ?? old?.port ?? defaults.port
  requireFreePort(await listMachines(connect), router.machine, listens)
  const network = checkVpnSubnet(subnet ?? old?.subnet ?? defaults.subnet)
  if (network !== old?.subnet) await requireFreeSubnet(connect, network)
  if (old !== undefined && network !== old.subnet && old.peers.length > 0) {
    throw new VmpkgError('USAGE', `The files of ${old.peers.length} VPN clients name addresses of ${old.subnet}`, {
      hint: 'vmpkg vpn-server remove-client NAME each of them first.',
    })
  }
  const found = endpoint === undefined ? old?.endpoint : parseVpnEndpoint(endpoint, listens)
  if (found === undefined) {
    throw new VmpkgError('USAGE', 'Nothing says where clients find the server', {
      hint: 'Add --endpoint with the name or address by which this network is known outside, as in home.example.org.',
    })
  }
  const server: VpnServer = {
    vmpkg: 1,
    endpoint: found,
    port: listens,
    subnet: network,
    privateKey: old?.privateKey ?? formatKey(workspace.outside.randomness.bytes(32)),
    peers: old?.peers ?? [],
  }
  const changed = old === undefined || storeVpnServer(old) !== storeVpnServer(server)
  if (changed && !dryRun) await keepServer(workspace, connect, router, server)
  return { changed, server: rowOf(router, server, await listReachable(connect, router.machine)) }
}

export interface ClientRequest {
  readonly router: string | undefined
  readonly name: string
  /** Machines behind the router. */
  readonly to: readonly string[]
  readonly dryRun: boolean
}

export interface AddClientRequest extends ClientRequest {
  /** Where the file goes; it is not there yet, or `force`. */
  readonly out: string | undefined
  readonly force: boolean
  readonly qr: boolean
}

/** What the client needs is told once and kept nowhere. */
export interface NewClient {
  readonly client: VpnClientRow
  readonly file: string
  /** As text, where it was asked for. */
  readonly code: string | undefined
}

/** @throws {VmpkgError} `USAGE` `DOMAIN_UNKNOWN` `NETWORK_UNAVAILABLE` `ADDRESS_UNAVAILABLE`, and what the router refuses */
export async function addVpnClient(workspace: Workspace, request: AddClientRequest): Promise<NewClient> {
  const { randomness, processes, signal } = workspace.outside
  const connect = await workspace.connect()
  const router = await chooseRouter(workspace, connect, request.router)
  const old = requireServer(router)
  if (request.qr) await checkTools(['qrencode'])
  const reachable = await listReachable(connect, router.machine)
  const targets = await chooseMachines(connect, router, reachable, request.to)
  const keys = { privateKey: formatKey(randomness.bytes(32)), presharedKey: formatKey(randomness.bytes(32)) }
  const { server, peer } = addPeer(old, {
    name: checkPeerName(request.name),
    publicKey: publicKeyOf(keys.privateKey),
    presharedKey: keys.presharedKey,
    machines: targets.map(({ uuid }) => uuid),
  })
  const file = formatClientFile(server, peer, targets, keys)
  const code = request.qr && !request.dryRun ? await drawCode(file, processes, signal) : undefined
  if (!request.dryRun) {
    const undo = request.out === undefined ? undefined : await writeClientFile(request.out, file, request.force)
    try {
      await keepServer(workspace, connect, router, server)
    } catch (error) {
      await undo?.()
      throw error
    }
  }
  const client = rowOf(router, server, reachable).clients.find((one) => one.name === peer.name)
  if (client === undefined) throw new TypeError('the client that was added is not there')
  return { client, file, code }
}

/** It holds a key: for its owner only. @returns takes it away again. @throws {VmpkgError} `USAGE` */
async function writeClientFile(path: string, text: string, force: boolean): Promise<() => Promise<void>> {
  const isThere = await lstat(path).then(
    () => true,
    () => false,
  )
  if (isThere && !force) {
    throw new VmpkgError('USAGE', `${path} is there already`, { hint: 'Choose another name, or add --force.' })
  }
  try {
    await replaceFile(path, text, { mode: 0o600 })
  } catch (cause) {
    throw new VmpkgError('USAGE', `Cannot write ${path}: ${systemErrorCode(cause) ?? 'unknown'}`, {
      hint: 'Name a file in a folder that is there and that you may write to.',
      cause,
    })
  }
  return async () => rm(path, { force: true })
}

/** By its standard input, for what is given as an argument every user of this machine can read. */
async function drawCode(file: string, processes: Processes, signal: AbortSignal): Promise<string> {
  const { exitCode, stdout, stderr } = await processes.run('qrencode', ['-t', 'UTF8', '-o', '-'], {
    input: file,
    signal,
  })
  if (exitCode === 0) return stdout.trimEnd()
  throw new VmpkgError('USAGE', `qrencode makes no code of the file: ${stderr.trim()}`, {
    hint: 'Leave out --qr, and hand the file over.',
  })
}

/** Other machines for a client that is there; its file has to be told of them. @throws {VmpkgError} as `addVpnClient` */
export async function setVpnClient(workspace: Workspace, request: ClientRequest): Promise<VpnClientRow> {
  const connect = await workspace.connect()
  const router = await chooseRouter(workspace, connect, request.router)
  const reachable = await listReachable(connect, router.machine)
  const targets = await chooseMachines(connect, router, reachable, request.to)
  const server = setPeerMachines(
    requireServer(router),
    request.name,
    targets.map(({ uuid }) => uuid),
  )
  if (!request.dryRun) await keepServer(workspace, connect, router, server)
  const client = rowOf(router, server, reachable).clients.find((one) => one.name === request.name)
  if (client === undefined) throw new TypeError('the client that was changed is not there')
  return client
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
  const server = removePeer(requireServer(router), name)
  if (!dryRun) await keepServer(workspace, connect, router, server)
}

/** The port closes; keys and clients are forgotten. False where there was none. */
export async function removeVpnServer(
  workspace: Workspace,
  { router: name, dryRun }: { readonly router: string | undefined; readonly dryRun: boolean },
): Promise<{ readonly router: string; readonly changed: boolean }> {
  const connect = await workspace.connect()
  const router = await chooseRouter(workspace, connect, name)
  const changed = router.server !== undefined
  if (changed && !dryRun) await keepServer(workspace, connect, router, undefined)
  return { router: router.machine.name, changed }
}

/** Of all routers that have one. */
export async function listVpnServers(workspace: Workspace): Promise<readonly VpnServerRow[]> {
  const connect = await workspace.connectIfRunning()
  if (connect === undefined) return []
  const rows: VpnServerRow[] = []
  for (const machine of (await listMachines(connect)).filter(({ facts }) => facts.kind === 'router')) {
    const installed = workspace.installed.find(machine.facts.package)
    const server = installed && findVpnServer(installed.parameters)
    if (server !== undefined) rows.push(rowOf({ machine }, server, await listReachable(connect, machine)))
  }
  return rows
}

function rowOf(
  { machine }: Pick<Router, 'machine'>,
  { endpoint, port, subnet, privateKey, peers }: VpnServer,
  reachable: readonly Reachable[],
): VpnServerRow {
  return {
    router: machine.name,
    endpoint,
    port,
    subnet,
    publicKey: publicKeyOf(privateKey),
    clients: peers.map(({ name, address, publicKey, machines }) => ({
      name,
      address,
      publicKey,
      machines: reachable
        .filter(({ uuid }) => machines.includes(uuid))
        .map((one) => ({ name: one.name, address: one.address })),
    })),
  }
}

/** @throws {VmpkgError} `USAGE` `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN` `NETWORK_UNAVAILABLE` */
async function chooseRouter(workspace: Workspace, connect: Connect, name: string | undefined): Promise<Router> {
  const machine = name === undefined ? await onlyRouter(connect) : await getMachine(connect, name)
  const refuse = (reason: string, hint: string): VmpkgError =>
    new VmpkgError('NETWORK_UNAVAILABLE', `${machine.name} can be no VPN server: ${reason}`, { hint })
  if (machine.facts.kind !== 'router') throw refuse('it is no router', 'vmpkg net list shows the routers.')
  if (machine.facts.layer !== 'uni') {
    throw refuse(
      `it is of layer ${machine.facts.layer ?? 'none'}, whose machines are answered by a tunnel or not at all`,
      'Only a router of the first layer lets people in.',
    )
  }
  const installed = workspace.installed.get(machine.facts.package)
  const pkg = await loadPackage(workspace, installed.line)
  const parameter = findVpnServerParameter(pkg.manifest.parameters)
  if (parameter === undefined) {
    throw refuse(
      `${installed.line.name} ${installed.line.version} does not know how`,
      `vmpkg upgrade ${installed.line.name}`,
    )
  }
  return { machine, installed, pkg, parameter, server: findVpnServer(installed.parameters) }
}

async function onlyRouter(connect: Connect): Promise<Machine> {
  const routers = (await listMachines(connect)).filter(({ facts }) => facts.kind === 'router' && facts.layer === 'uni')
  const [only, ...others] = routers
  if (only === undefined) {
    throw new VmpkgError('DOMAIN_UNKNOWN', 'There is no router of the first layer', {
      hint: 'vmpkg install router-uni',
    })
  }
  if (others.length === 0) return only
  throw new VmpkgError('USAGE', `There are several routers: ${routers.map((one) => one.name).join(', ')}`, {
    hint: `Choose one: --router ${only.name}`,
  })
}

/** @throws {VmpkgError} `USAGE` */
function requireServer({ server, machine: { name } }: Router): VpnServer {
  if (server !== undefined) return server
  throw new VmpkgError('USAGE', `${name} is no VPN server yet`, {
    hint: `vmpkg vpn-server init ${name} --endpoint home.example.org`,
  })
}

/** @throws {VmpkgError} `USAGE` where none is named, `DOMAIN_UNKNOWN`, `NETWORK_UNAVAILABLE` */
async function chooseMachines(
  connect: Connect,
  { machine: router }: Router,
  reachable: readonly Reachable[],
  names: readonly string[],
): Promise<readonly Reachable[]> {
  if (names.length === 0) {
    throw new VmpkgError('USAGE', 'Nothing says which machines the client may reach', {
      hint: `Add --to NAME: ${reachable.map(({ name }) => name).join(', ') || `a machine behind ${router.name}`}.`,
    })
  }
  const chosen: Reachable[] = []
  for (const name of new Set(names)) {
    const { domain } = await getMachine(connect, name)
    const found = reachable.find(({ uuid }) => uuid === domain.uuid)
    if (found !== undefined) chosen.push(found)
    else {
      throw new VmpkgError('NETWORK_UNAVAILABLE', `${name} has no address on the LAN of ${router.name}`, {
        hint: `There ${reachable.length === 0 ? 'is nobody' : `are ${reachable.map((one) => one.name).join(', ')}`}; vmpkg net graph shows who is where.`,
      })
    }
  }
  return chosen.toSorted((a, b) => (a.address < b.address ? -1 : 1))
}

/** @throws {VmpkgError} `ADDRESS_UNAVAILABLE` */
function requireFreePort(machines: readonly Machine[], { name, facts: { instance } }: Machine, port: number): void {
  const holder = machines.find(
    ({ facts }) =>
      facts.net === instance && facts.forwards?.some((one) => one.protocol === 'udp' && one.port === port) === true,
  )
  if (holder === undefined && port !== 68) return
  throw new VmpkgError(
    'ADDRESS_UNAVAILABLE',
    `Port udp ${port} of ${name} ${holder === undefined ? 'is for its own lease' : `leads to ${holder.name}`}`,
    {
      hint: 'Choose another with --port.',
    },
  )
}

/** @throws {VmpkgError} `ADDRESS_UNAVAILABLE` */
async function requireFreeSubnet(connect: Connect, subnet: string): Promise<void> {
  const own = parseSubnet(subnet)
  const other = (await listOwnNetworks(connect)).find(({ facts }) => overlaps(own, parseSubnet(facts.cidr)))
  if (other === undefined) return
  throw new VmpkgError('ADDRESS_UNAVAILABLE', `${subnet} overlaps ${other.name}, which has ${other.facts.cidr}`, {
    hint: 'Choose another with --subnet, as in 10.9.0.0/24.',
  })
}

async function keepServer(
  workspace: Workspace,
  connect: Connect,
  { machine, installed, pkg, parameter }: Router,
  server: VpnServer | undefined,
): Promise<void> {
  const { [parameter]: _before, ...others } = installed.parameters
  const parameters: ParameterValues =
    server === undefined
      ? others
      : { ...others, [parameter]: { value: storeVpnServer(server), origin: 'command line' } }
  const { source, grants } = installed
  const request = { pkg, source, parameters, grants: grants.map(grantName) }
  await transact(workspace, { operation: 'vpn-server', subject: machine.name }, async (transaction) => {
    const definition = await settleInto(workspace, connect, transaction, machine, { definition: undefined, request })
    transaction.commit(() => {
      workspace.installed.put({ ...installed, parameters })
      if (definition !== undefined) workspace.definitions.put(definition)
    })
  })
}
