/**
 * The definitions of a router as a function of its package and of what was planned for it once: cards, addresses, subnet,
 * identity. The plan is kept in the state database, so that a later version is rendered for the same machine.
 */
import { newIdentity } from '../domain/identity.ts'
import { VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import type { GrantName } from '../model/capability.ts'
import type { DomainFacts, NetworkFacts } from '../model/libvirt-facts.ts'
import type { Layer } from '../model/line.ts'
import type { ParameterValues } from '../model/manifest.ts'
import type {
  ForwardedContext,
  HomeContext,
  LowerContext,
  NetworkTemplateContext,
  NicContext,
  RouterContext,
  VpnContext,
} from '../model/template-context.ts'
import { formatOpenvpnClients, formatOpenvpnConfig } from '../router/openvpn-server.ts'
import { type LanPlan, routerContext, type WanPlan } from '../router/plan.ts'
import type { VpnProfile } from '../router/vpn-profile.ts'
import { formatServerFile, WIREGUARD_DOOR } from '../router/vpn-server.ts'
import type { Definition } from '../state/definitions.ts'
import { choosePciDevices } from './choose-devices.ts'
import { isSession } from './connection-name.ts'
import { findOpenvpnServer, findTorContext, findVpnProfile, findVpnServer } from './file-parameters.ts'
import { chooseHypervisor } from './hypervisor.ts'
import { imagePaths } from './images.ts'
import { machineFiles } from './machine-files.ts'
import type { LoadedPackage } from './package-store.ts'
import { placeInput } from './place-input.ts'
import { readLans } from './read-lans.ts'
import { type GuestFiles, type MachineInput, renderGuestFiles, renderMachine } from './render-machine.ts'
import { socketFolder, USER_NETWORK } from './session-mode.ts'
import { validateDefinition } from './validate-definition.ts'
import type { Workspace } from './workspace.ts'

/** What a router's domain is rendered from besides its package. */
export interface RouterPlan {
  readonly hostname: string
  readonly machineId: string
  readonly layer: Layer
  readonly lan: LanPlan
  readonly wanNic: NicContext
  readonly lanNic: NicContext
  /** Where its WAN is on an upper router's LAN. */
  readonly wan?: WanPlan
  /** What its rules let through for the routers behind it. */
  readonly lowers?: readonly LowerContext[]
  /** Ports that lead to clients. */
  readonly forwards?: readonly ForwardedContext[]
  /** Who of outside may reach which of them, by WireGuard and by OpenVPN. */
  readonly home?: HomeContext
  readonly openvpn?: HomeContext
}

/** What a network is rendered from besides its package. */
export interface NetworkPlan {
  readonly role: 'lan' | 'uplink'
  readonly cidr: string
  readonly network: NetworkTemplateContext['network']
}

export interface RouterRequest {
  readonly pkg: LoadedPackage
  /** Name of the source it came from. */
  readonly source: string
  readonly parameters: ParameterValues
  readonly grants: readonly GrantName[]
}

/** Facts that a domain and its networks share. */
function ownerFacts(
  { pkg: { line }, source }: RouterRequest,
  createdAt: string,
): Pick<DomainFacts, 'package' | 'version' | 'digest' | 'origin' | 'createdAt'> {
  return { package: line.name, version: line.version, digest: line.package.sha256, origin: source, createdAt }
}

/** What a router's plan becomes on this host. */
export interface RouterPlace {
  readonly plan: RouterPlan
  readonly name: string
  readonly uuid: string
  readonly medium: string
  readonly createdAt: string
}

/** @throws {VmpkgError} what rendering and the gate refuse */
export async function renderRouter(
  workspace: Workspace,
  connect: Connect,
  request: RouterRequest,
  place: RouterPlace,
): Promise<{ readonly xml: string; readonly guest: GuestFiles }> {
  const input = await placeInput(workspace, await routerInput(workspace, connect, request, place))
  const guest = renderGuestFiles(input)
  const xml = await renderMachine(input, routerFacts(request, place, input, guest))
  await validateDefinition(workspace, connect, 'domain', xml)
  return { xml, guest }
}

/** Not placed yet. @throws {VmpkgError} `HOST_UNSUPPORTED` `DEVICE_REFUSED` `DEVICE_UNKNOWN` `PARAMETER_INVALID` */
export async function routerInput(
  workspace: Workspace,
  connect: Connect,
  { pkg, parameters, grants }: RouterRequest,
  { plan, name, uuid, medium }: RouterPlace,
): Promise<MachineInput> {
  const { hostname, machineId, layer, lan, wanNic, lanNic, wan, lowers, forwards, home, openvpn } = plan
  const profile = findVpnProfile(pkg.manifest.parameters, parameters)
  const server = findVpnServer(parameters)
  const openvpnServer = findOpenvpnServer(parameters)
  const tor = findTorContext(pkg.manifest.parameters, parameters)
  return {
    pkg,
    parameters,
    grants,
    name,
    identity: { ...newIdentity(hostname, workspace.outside.randomness), uuid, machineId },
    nics: [wanNic, lanNic],
    lans: await readLans(connect),
    ...socketsOf(workspace),
    router: routerContext(
      layer,
      lan,
      { wan: wanNic.mac, lan: lanNic.mac },
      {
        ...(wan === undefined ? {} : { wan }),
        ...(wan === undefined && isSession(workspace.connectionName) ? { closed: [USER_NETWORK.cidr] } : {}),
        ...(lowers === undefined ? {} : { lowers }),
        ...(forwards === undefined ? {} : { forwards }),
        ...(home === undefined || server === undefined ? {} : { home }),
        ...(openvpn === undefined || openvpnServer === undefined ? {} : { openvpn }),
        ...(profile === undefined ? {} : { vpn: vpnContext(profile) }),
        ...(tor === undefined ? {} : { tor }),
      },
    ),
    more: new Map([
      ...(profile === undefined ? [] : [[VPN_FILE, Buffer.from(profile.file)] as const]),
      ...(server === undefined ? [] : [[HOME_FILE, Buffer.from(formatServerFile(server))] as const]),
      ...(openvpn === undefined || openvpnServer === undefined
        ? []
        : ([
            [OPENVPN_FILE, Buffer.from(formatOpenvpnConfig(openvpnServer))],
            [OPENVPN_CLIENTS_FILE, Buffer.from(formatOpenvpnClients(openvpnServer, openvpn))],
          ] as const)),
    ]),
    host: await chooseHypervisor(workspace, connect),
    images: imagePaths(workspace, pkg.line),
    medium,
    serialLog: machineFiles(workspace.connectionPaths, uuid).log,
    pci: await choosePciDevices(workspace, pkg.manifest, parameters, name),
  }
}

export function socketsOf(workspace: Workspace): Pick<MachineInput, 'sockets'> {
  const sockets = socketFolder(workspace)
  return sockets === undefined ? {} : { sockets }
}

/** On the medium, beside what templates make. */
const VPN_FILE = 'vpn.conf'
const HOME_FILE = 'home.conf'
const OPENVPN_FILE = 'openvpn.conf'
const OPENVPN_CLIENTS_FILE = 'openvpn.clients'

function vpnContext(profile: VpnProfile): VpnContext {
  const { file: _, ...context } = profile
  return context
}

export function routerFacts(
  request: RouterRequest,
  { plan: { layer, lan, lanNic, wanNic, wan }, medium, createdAt }: RouterPlace,
  { serialLog, router }: MachineInput,
  { rules }: GuestFiles,
): DomainFacts {
  return {
    ...ownerFacts(request, createdAt),
    kind: request.pkg.line.kind,
    layer,
    instance: lan.instance,
    ephemeral: false,
    medium,
    ...(serialLog === undefined ? {} : { serialLog }),
    parameters: request.parameters,
    ...(rules === undefined ? {} : { rules }),
    lanMac: lanNic.mac,
    ...(wan === undefined ? {} : { net: wan.net, wanMac: wanNic.mac, wanAddress: wan.address, ...reachOf(router) }),
  }
}

/** What the router above has to let it reach. */
function reachOf(router: RouterContext | undefined): Pick<DomainFacts, 'endpoints' | 'reach'> {
  if (router?.vpn !== undefined) return { endpoints: router.vpn.endpoints }
  const { endpoints = [], usesConsensus = false } = router?.tor ?? {}
  return { endpoints, ...(usesConsensus ? { reach: 'tor' } : {}) }
}

export function networkFacts(
  request: RouterRequest,
  { role, cidr, network }: NetworkPlan,
  createdAt: string,
): NetworkFacts {
  const { layer } = request.pkg.manifest
  const lan = layer === undefined ? {} : { layer, instance: network.name }
  return { ...ownerFacts(request, createdAt), role, cidr, ...(role === 'lan' ? lan : {}) }
}

/** @throws {VmpkgError} `STATE_INVALID` for a definition of something else */
export function routerPlanOf({ context, name }: Definition): RouterPlan {
  const { machineId, lan, wanNic, lanNic } = context
  if ([machineId, lan, wanNic, lanNic].includes(undefined)) throw noPlan(name)
  const plan = context as unknown as RouterPlan
  // One that was planned when WireGuard was all there was does not say so.
  return plan.home === undefined ? plan : { ...plan, home: { ...WIREGUARD_DOOR, ...plan.home } }
}

/** @throws {VmpkgError} `STATE_INVALID` for a definition of something else */
export function networkPlanOf({ context, name }: Definition): NetworkPlan {
  const { role, cidr, network } = context
  if ([role, cidr, network].includes(undefined)) throw noPlan(name)
  return context as unknown as NetworkPlan
}

function noPlan(name: string): VmpkgError {
  return new VmpkgError('STATE_INVALID', `The state database does not say how ${name} was planned`, {
    hint: 'Remove its package and install it again.',
  })
}
