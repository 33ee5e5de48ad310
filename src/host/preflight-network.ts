/**
 * Network cards, ports and libvirt networks. Pure.
 *
 * Source: libvirt's bridge_driver.c: a network does not start where an interface has its bridge's name or the host has a
 * route or address in its subnet; bridge names are compared when it is defined.
 */
import { overlaps, parseSubnet } from '../model/subnet.ts'
import { findElement, findElements, getAttribute, getText } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import type { PortDemand } from './demand-network.ts'
import type { DomainDemand } from './preflight-demand.ts'
import type { HostFacts, HypervisorFacts, Listener, OtherNetwork } from './preflight-facts.ts'
import { finding, type PreflightFinding } from './preflight-finding.ts'

export function judgeNetwork(
  demand: DomainDemand,
  host: HostFacts,
  hypervisor: HypervisorFacts,
): readonly PreflightFinding[] {
  const ports = [...demand.ports, ...demand.nics.flatMap(({ forwards }) => forwards)]
  return [
    ...judgeNetworks(demand, host, hypervisor),
    ...demand.nics.flatMap(({ path, type, bridge, device }) => {
      const name = type === 'bridge' ? bridge : type === 'direct' ? device : undefined
      if (name === undefined || host.interfaces === undefined || host.interfaces.includes(name)) return []
      return [
        finding(
          'bridge-missing',
          path,
          `this host has no interface ${name}`,
          `ip link lists them; make a bridge with: sudo ip link add ${name} type bridge`,
        ),
      ]
    }),
    ...(demand.nics.some(({ type }) => ['network', 'bridge', 'ethernet'].includes(type)) &&
    host.files.get('/dev/net/tun')?.kind === 'missing'
      ? [finding('tun-missing', 'interface', '/dev/net/tun does not exist', 'Run: sudo modprobe tun')]
      : []),
    ...ports.flatMap((port) => judgePort(port, host.listeners)),
  ]
}

function judgeNetworks(
  demand: DomainDemand,
  host: HostFacts,
  hypervisor: HypervisorFacts,
): readonly PreflightFinding[] {
  const names = new Map(
    demand.nics.flatMap(({ path, network }) => (network === undefined ? [] : [[network, path] as const])),
  )
  return [...names].flatMap(([name, path]) => {
    const network = hypervisor.networks.find((one) => one.name === name)
    if (network === undefined)
      return [
        finding(
          'network-missing',
          path,
          `There is no libvirt network ${name}`,
          'Install the router package that brings it, or correct the machine with virsh edit.',
        ),
      ]
    if (network.isActive) return []
    if (!hypervisor.startsNetworks)
      return [
        finding(
          'network-inactive',
          path,
          `the libvirt network ${name} is not active`,
          `Start it: virsh net-start ${name}`,
        ),
      ]
    return judgeNetworkStart(network, host)
  })
}

/** What keeps a defined network from starting. */
function judgeNetworkStart(
  { name, bridge, cidrs }: Pick<OtherNetwork, 'name' | 'bridge' | 'cidrs'>,
  { interfaces, subnets = [] }: HostFacts,
): readonly PreflightFinding[] {
  const path = `network ${name}`
  const taken = bridge !== undefined && interfaces?.includes(bridge) === true
  return [
    ...(taken
      ? [
          finding(
            'network-bridge-taken',
            path,
            `the host has an interface ${bridge} already`,
            `Remove it when it was left behind (sudo ip link delete ${bridge}), or choose another bridge name.`,
          ),
        ]
      : []),
    ...subnets
      .filter(
        (own) => own.interface !== bridge && cidrs.some((cidr) => overlaps(parseSubnet(cidr), parseSubnet(own.cidr))),
      )
      .map((own) =>
        finding(
          'network-subnet-taken',
          path,
          `the host’s interface ${own.interface} uses ${own.cidr} already`,
          `Give the network another subnet: virsh net-edit ${name}`,
        ),
      ),
  ]
}

/** Of a network's own definition, before it is defined and started. */
export function judgeNetworkDefinition(
  xml: string,
  host: HostFacts,
  networks: readonly OtherNetwork[],
): readonly PreflightFinding[] {
  const own = parseNetwork(xml)
  if (own === undefined) return []
  const path = `network ${own.name}`
  return [
    ...networks.flatMap((other) => {
      if (other.name === own.name && other.uuid !== own.uuid)
        return [
          finding(
            'network-name-taken',
            path,
            `the name belongs to the network with UUID ${other.uuid}`,
            'Rename one of them, or remove the other one first.',
          ),
        ]
      if (other.uuid === own.uuid && other.name !== own.name)
        return [
          finding(
            'network-name-taken',
            path,
            `its UUID belongs to the network ${other.name}`,
            'Leave <uuid> out, so that libvirt makes one.',
          ),
        ]
      if (other.uuid === own.uuid) return []
      if (own.bridge !== undefined && other.bridge === own.bridge)
        return [
          finding(
            'network-bridge-taken',
            path,
            `the network ${other.name} has the bridge ${own.bridge}`,
            'Choose another bridge name.',
          ),
        ]
      return own.cidrs.some((cidr) => other.cidrs.some((one) => overlaps(parseSubnet(one), parseSubnet(cidr))))
        ? [
            finding(
              'network-subnet-taken',
              path,
              `the network ${other.name} uses ${other.cidrs.join(', ')}`,
              'Choose another subnet.',
            ),
          ]
        : []
    }),
    ...(networks.some((other) => other.uuid === own.uuid && other.isActive) ? [] : judgeNetworkStart(own, host)),
  ]
}

/** Name, UUID, bridge and IPv4 subnets of a network document; `undefined` for another one. A bridge that it only uses is not its own. */
export function parseNetwork(xml: string): Omit<OtherNetwork, 'isActive'> | undefined {
  const { root } = parseXml(xml)
  if (root.name !== 'network') return undefined
  const text = (path: string): string => {
    const element = findElement(root, path)
    return element === undefined ? '' : getText(element).trim()
  }
  const bridge = findElement(root, 'bridge')
  const mode = findElement(root, 'forward')
  const isOwn = mode === undefined || getAttribute(mode, 'mode') !== 'bridge'
  const name = bridge === undefined || !isOwn ? undefined : getAttribute(bridge, 'name')
  return {
    name: text('name'),
    uuid: text('uuid'),
    bridge: name,
    cidrs: findElements(root, 'ip').flatMap((ip) => {
      const address = getAttribute(ip, 'address') ?? ''
      const prefix = getAttribute(ip, 'prefix') ?? prefixOf(getAttribute(ip, 'netmask') ?? '255.255.255.0')
      return /^[\d.]+$/.test(address) ? [`${address}/${prefix}`] : []
    }),
  }
}

function prefixOf(netmask: string): string {
  const bits = netmask
    .split('.')
    .map((octet) => Number(octet).toString(2).padStart(8, '0'))
    .join('')
  return String(bits.indexOf('0') === -1 ? 32 : bits.indexOf('0'))
}

const isAny = (address: string | undefined): boolean =>
  address === undefined || address === '' || address === '0.0.0.0' || address === '::'

function judgePort(
  { path, protocol, address, port }: PortDemand,
  listeners: readonly Listener[] | undefined,
): readonly PreflightFinding[] {
  const other = listeners?.find(
    (one) =>
      one.protocol === protocol &&
      one.port === port &&
      (isAny(address) || isAny(one.address) || one.address === address),
  )
  if (other === undefined) return []
  return [
    finding(
      'port-taken',
      path,
      `something listens on ${protocol} port ${port} of ${isAny(other.address) ? 'all addresses' : other.address}`,
      `ss -lnp names it; choose another port, or autoport="yes" for a screen.`,
    ),
  ]
}
