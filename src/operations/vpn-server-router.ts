/**
 * A router of the first layer and what takes people in there: a server of WireGuard, one of OpenVPN, or both. Each is a value
 * of the router's package; rules, keys and addresses follow from it.
 */
import { getMachine, listMachines, type Machine } from '../domain/inventory.ts'
import { VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import { grantName } from '../model/capability.ts'
import type { ParameterValues } from '../model/manifest.ts'
import { fingerprintOf, type OpenvpnServer } from '../router/openvpn-server.ts'
import { noPeer, type Reachable } from '../router/vpn-clients.ts'
import { publicKeyOf, type VpnServer, WIREGUARD_DOOR } from '../router/vpn-server.ts'
import type { InstalledPackage } from '../state/installed.ts'
import {
  findOpenvpnServer,
  findServerParameters,
  findVpnServer,
  storeOpenvpnServer,
  storeVpnServer,
} from './file-parameters.ts'
import { type LoadedPackage, loadPackage } from './package-store.ts'
import { transact } from './recover.ts'
import { settleInto } from './settle-router.ts'
import type { Workspace } from './workspace.ts'

export const VPN_PROTOCOLS = ['wireguard', 'openvpn'] as const
export type VpnProtocol = (typeof VPN_PROTOCOLS)[number]

/** @throws {VmpkgError} `USAGE` */
export function parseVpnProtocol(text: string): VpnProtocol {
  const found = VPN_PROTOCOLS.find((one) => one === text)
  if (found !== undefined) return found
  throw new VmpkgError('USAGE', `A VPN server speaks no ${JSON.stringify(text.slice(0, 40))}`, {
    hint: `Choose one: ${VPN_PROTOCOLS.map((one) => `--protocol ${one}`).join(', ')}.`,
  })
}

export interface VpnClientRow {
  readonly name: string
  readonly address: string
  /** Of WireGuard. */
  readonly publicKey?: string
  /** Of OpenVPN: SHA-256 of the certificate. */
  readonly fingerprint?: string
  /** Those that are there. */
  readonly machines: readonly { readonly name: string; readonly address: string }[]
}

export interface VpnServerRow {
  readonly router: string
  readonly protocol: VpnProtocol
  readonly endpoint: string
  readonly transport: 'udp' | 'tcp'
  readonly port: number
  readonly subnet: string
  readonly publicKey?: string
  readonly fingerprint?: string
  readonly clients: readonly VpnClientRow[]
}

/** Those that there are. */
export interface Servers {
  readonly wireguard: VpnServer | undefined
  readonly openvpn: OpenvpnServer | undefined
}

export interface VpnRouter {
  readonly machine: Machine
  readonly installed: InstalledPackage
  readonly pkg: LoadedPackage
  readonly servers: Servers
}

export function serversOf(parameters: ParameterValues): Servers {
  return { wireguard: findVpnServer(parameters), openvpn: findOpenvpnServer(parameters) }
}

/** @throws {VmpkgError} `USAGE` `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN` `NETWORK_UNAVAILABLE` */
export async function chooseRouter(
  workspace: Workspace,
  connect: Connect,
  name: string | undefined,
): Promise<VpnRouter> {
  const machine = name === undefined ? await onlyRouter(connect) : await getMachine(connect, name)
  const refuse = (reason: string, hint: string): VmpkgError => noServer(machine, reason, hint)
  if (machine.facts.kind !== 'router') throw refuse('it is no router', 'vmpkg net list shows the routers.')
  if (machine.facts.layer !== 'uni') {
    throw refuse(
      `it is of layer ${machine.facts.layer ?? 'none'}, whose machines are answered by a tunnel or not at all`,
      'Only a router of the first layer lets people in.',
    )
  }
  const installed = workspace.installed.get(machine.facts.package)
  const pkg = await loadPackage(workspace, installed.line)
  return { machine, installed, pkg, servers: serversOf(installed.parameters) }
}

function noServer({ name }: Machine, reason: string, hint: string): VmpkgError {
  return new VmpkgError('NETWORK_UNAVAILABLE', `${name} can be no VPN server: ${reason}`, { hint })
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

/** The parameter that the router's package keeps it in. @throws {VmpkgError} `NETWORK_UNAVAILABLE` */
export function parameterOf({ machine, installed, pkg }: VpnRouter, protocol: VpnProtocol): string {
  const parameter = findServerParameters(pkg.manifest.parameters)[protocol]
  if (parameter !== undefined) return parameter
  const { name, version } = installed.line
  const what = protocol === 'openvpn' ? `${name} ${version} has no OpenVPN` : `${name} ${version} does not know how`
  throw noServer(machine, what, `vmpkg upgrade ${name}`)
}

/** The one that has a client of that name: names are not taken twice on a router. @throws {VmpkgError} `USAGE` */
export function serverOfClient(router: VpnRouter, client: string): VpnProtocol {
  requireServer(router)
  const found = VPN_PROTOCOLS.find((protocol) => router.servers[protocol]?.peers.some(({ name }) => name === client))
  if (found === undefined) throw noPeer(client)
  return found
}

/** @throws {VmpkgError} `USAGE` where there is none; where there are both and none is chosen, it is WireGuard's */
export function requireServer({ servers, machine: { name } }: VpnRouter, wanted?: VpnProtocol): VpnProtocol {
  const found = VPN_PROTOCOLS.find(
    (protocol) => servers[protocol] !== undefined && (wanted === undefined || protocol === wanted),
  )
  if (found !== undefined) return found
  const [what, more] = wanted === 'openvpn' ? ['OpenVPN', ' --protocol openvpn'] : ['VPN', '']
  throw new VmpkgError('USAGE', `${name} is no ${what} server yet`, {
    hint: `vmpkg vpn-server init ${name}${more} --endpoint home.example.org`,
  })
}

/** Other values for what is named in `change`, in one step. */
export async function keepServers(
  workspace: Workspace,
  connect: Connect,
  router: VpnRouter,
  change: Partial<Servers>,
): Promise<void> {
  const { machine, installed, pkg } = router
  let parameters: ParameterValues = installed.parameters
  for (const protocol of VPN_PROTOCOLS.filter((one) => one in change)) {
    const parameter = parameterOf(router, protocol)
    const { [parameter]: _before, ...others } = parameters
    const value = storedOf(change, protocol)
    parameters = value === undefined ? others : { ...others, [parameter]: { value, origin: 'command line' } }
  }
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

/** As it is kept. */
export function storedOf(servers: Partial<Servers>, protocol: VpnProtocol): string | undefined {
  const { wireguard, openvpn } = servers
  if (protocol === 'openvpn') return openvpn && storeOpenvpnServer(openvpn)
  return wireguard && storeVpnServer(wireguard)
}

/** Nothing in them is secret. */
export function rowsOf(
  { name: router }: Pick<Machine, 'name'>,
  { wireguard, openvpn }: Servers,
  reachable: readonly Reachable[],
): readonly VpnServerRow[] {
  const machines = (chosen: readonly string[]): VpnClientRow['machines'] =>
    reachable.filter(({ uuid }) => chosen.includes(uuid)).map(({ name, address }) => ({ name, address }))
  const rows: VpnServerRow[] = []
  if (wireguard !== undefined) {
    const { endpoint, port, subnet, privateKey, peers } = wireguard
    const clients = peers.map(({ name, address, publicKey, machines: chosen }) => ({
      name,
      address,
      publicKey,
      machines: machines(chosen),
    }))
    const { protocol: transport } = WIREGUARD_DOOR
    const publicKey = publicKeyOf(privateKey)
    rows.push({ router, protocol: 'wireguard', endpoint, transport, port, subnet, publicKey, clients })
  }
  if (openvpn !== undefined) {
    const { endpoint, protocol: transport, port, subnet, certificate, peers } = openvpn
    const clients = peers.map(({ name, address, certificate: shown, machines: chosen }) => ({
      name,
      address,
      fingerprint: fingerprintOf(shown),
      machines: machines(chosen),
    }))
    const fingerprint = fingerprintOf(certificate)
    rows.push({ router, protocol: 'openvpn', endpoint, transport, port, subnet, fingerprint, clients })
  }
  return rows
}
