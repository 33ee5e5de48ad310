/**
 * The data that templates see: a context with every name it may have, so that an unknown name is an error and a known
 * one without a value is merely absent. Source of the names: model/template-context.ts.
 */
import { clientAddress, clientNumbers } from '../model/lan-address.ts'
import type { ImageRole } from '../model/line.ts'
import type { ParameterValue } from '../model/manifest.ts'
import type { Placement } from '../model/placement.ts'
import type {
  ChosenContext,
  DomainTemplateContext,
  GuestTemplateContext,
  HomeContext,
  NetworkTemplateContext,
  NicContext,
  RouterContext,
  TorContext,
} from '../model/template-context.ts'

const ROLES: readonly ImageRole[] = ['kernel', 'initrd', 'root', 'disk']
type Scope = Readonly<Record<string, unknown>>

/** `parameterNames` are the declared ones: those without a value are absent, others unknown. */
export function domainScope(context: DomainTemplateContext, parameterNames: readonly string[]): Scope {
  const { domain, images, verity, overlay, nvram, medium, serialLog } = context
  return {
    domain: { ...domain, lastVcpu: domain.vcpus - 1 },
    host: hostScope(context.host),
    params: parameterScope(context.params, parameterNames),
    images: { ...Object.fromEntries(ROLES.map((role) => [role, images[role]])), verity },
    overlay: overlay === undefined ? undefined : { ...overlay },
    nvram,
    medium,
    ...nicScopes(context),
    serialLog,
    placement: context.placement === undefined ? undefined : placementScope(context.placement),
    ...chosenScope(context),
  }
}

function hostScope(host: DomainTemplateContext['host']): Scope {
  const { virtType, emulator, firmware, secureFirmware, libvirtVersion, qemuVersion } = host
  return {
    virtType,
    emulator,
    firmware: firmware && { ...firmware },
    secureFirmware: secureFirmware && { ...secureFirmware },
    libvirtVersion,
    qemuVersion,
  }
}

function placementScope({ cells, ...placement }: Placement): Scope {
  return { ...placement, cells: cells.map((cell) => ({ hostNode: undefined, pageKib: undefined, ...cell })) }
}

/** Each entry has every name that its kind may have, so that templates can ask for them. */
function chosenScope(context: Partial<ChosenContext>): Scope {
  const { hostdevs = [], disks = [], cdroms = [], folders = [], evdevs = [], forwards = [], cards = [] } = context
  const usb = { vendor: undefined, product: undefined, bus: undefined, device: undefined }
  const disk = { path: undefined, network: undefined }
  return {
    hostdevs: hostdevs.map((one) => ({
      pci: undefined,
      uuid: undefined,
      ...one,
      usb: one.kind === 'usb' ? { ...usb, ...one.usb } : undefined,
    })),
    disks: disks.map((one) => ({ ...disk, ...one })),
    cdroms: cdroms.map((one) => ({ ...disk, ...one })),
    folders: folders.map((one) => ({ ...one })),
    evdevs: evdevs.map((one) => ({ ...one })),
    forwards: forwards.map((one) => ({ address: undefined, ...one })),
    cards: cards.map((one) => ({ ...CARD, ...one })),
  }
}

const CARD = {
  network: undefined,
  bridge: undefined,
  device: undefined,
  address: undefined,
  port: undefined,
  localAddress: undefined,
  localPort: undefined,
}

export function guestScope(context: GuestTemplateContext, parameterNames: readonly string[]): Scope {
  const { identity, router } = context
  return {
    identity: { ...identity },
    ...nicScopes(context),
    router: router === undefined ? undefined : routerScope(router),
    params: parameterScope(context.params, parameterNames),
  }
}

function routerScope({ layer, instance, wan, lan, lowers, forwards, home, openvpn, vpn, tor }: RouterContext): Scope {
  return {
    layer,
    instance,
    wan: { address: undefined, prefix: undefined, broadcast: undefined, gateway: undefined, closed: [], ...wan },
    lan: { ...lan, reserved: clientNumbers().flatMap(reservation(lan.cidr)) },
    lowers: lowers.map((one) => ({
      reach: undefined,
      ...one,
      endpoints: one.endpoints.map((endpoint) => ({ ...endpoint })),
    })),
    readsConsensus: lowers.some(({ reach }) => reach === 'tor'),
    forwards: forwards.map((one) => ({ ...one, ports: one.ports.map((port) => ({ ...port })) })),
    home: home && homeScope(home),
    openvpn: openvpn && homeScope(openvpn),
    homes: [home, openvpn].flatMap((one) => (one === undefined ? [] : [homeScope(one)])),
    vpn: vpn === undefined ? undefined : { mtu: undefined, ...vpn },
    tor: tor === undefined ? undefined : torScope(tor),
  }
}

function homeScope(home: HomeContext): Scope {
  return {
    ...home,
    peers: home.peers.map((one) => ({ ...one, targets: one.targets.map((target) => ({ ...target })) })),
  }
}

/** The end of a MAC, and the address that goes with it. */
function reservation(cidr: string): (number: number) => readonly { last: string; address: string }[] {
  return (number) => {
    const last = number.toString(16).padStart(2, '0')
    const address = clientAddress(cidr, last)
    return address === undefined ? [] : [{ last, address }]
  }
}

function torScope({ bridges, ...tor }: TorContext): Scope {
  return { ...tor, bridges: bridges.map((one) => ({ fingerprint: undefined, ...one })) }
}

export function networkScope(context: NetworkTemplateContext, parameterNames: readonly string[] = []): Scope {
  const { network, host, params = {} } = context
  const { address, netmask, rangeFirst, rangeLast } = network
  return {
    network: { ...network, address, netmask, rangeFirst, rangeLast },
    host: { libvirtVersion: host?.libvirtVersion, qemuVersion: host?.qemuVersion },
    params: parameterScope(params, parameterNames),
    reservations: (context.reservations ?? []).map((one) => ({ name: undefined, ...one })),
    routes: (context.routes ?? []).map((one) => ({ ...one })),
    hostNames: (context.hostNames ?? []).map((one) => ({ ...one })),
    addresses: (context.addresses ?? []).map((one) => ({ ...one })),
  }
}

function parameterScope(values: Readonly<Record<string, ParameterValue>>, names: readonly string[]): Scope {
  return { ...Object.fromEntries(names.map((name) => [name, undefined])), ...values }
}

function nicScopes(context: {
  readonly nics: readonly NicContext[]
  readonly wan?: NicContext
  readonly lan?: NicContext
}): Scope {
  const { nics, wan, lan } = context
  return { nics: nics.map((nic) => nicScope(nic)), wan: wan && nicScope(wan), lan: lan && nicScope(lan) }
}

function nicScope({ role, mac, network, bridge, pci, link, isolated }: NicContext): Scope {
  return { role, mac, network, bridge, pci: pci && { ...pci }, link, isolated }
}
