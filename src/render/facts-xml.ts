/**
 * Facts about a domain or a network as one XML element of our namespace (formats 5.1), and back. What is read comes from
 * libvirt, where anyone with the connection may have changed it: an element that is not exactly ours reads as none.
 */
import { isSha256 } from '../model/digest.ts'
import { type DomainFacts, type NetworkFacts, POOL_STATES, STORAGES } from '../model/libvirt-facts.ts'
import type { Layer, PackageKind } from '../model/line.ts'
import type { Origin, Parameter, ParameterValue, ParameterValues } from '../model/manifest.ts'
import { isDomainName } from '../model/name.ts'
import type { EndpointContext, PortForward } from '../model/template-context.ts'
import { childElements, findInNamespace, getAttribute } from '../xml/find.ts'
import { escapeXml } from '../xml/lexical.ts'
import { parseXml } from '../xml/parse.ts'
import type { XmlElement } from '../xml/tree.ts'

/** Of both elements, `vmpkg:domain` and `vmpkg:network`. */
export const VMPKG_NAMESPACE = 'urn:vmpkg:domain:1'

const KINDS: readonly PackageKind[] = ['os-image', 'router', 'controller', 'app', 'utility']
const LAYERS: readonly Layer[] = ['uni', 'gal', 'sol']
const ORIGINS: readonly Origin[] = ['default', 'package', 'profile', 'host', 'command line']
const NAME = /^[a-z0-9][a-z0-9+.-]{0,127}$/
const MAC = /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/
const CIDR = /^\d{1,3}(?:\.\d{1,3}){3}\/\d{1,2}$/
const ADDRESS = /^\d{1,3}(?:\.\d{1,3}){3}$/
const ATTENDANT = /^\d{1,10} \d{1,18} [0-9a-f-]{36}$/
const DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?Z$/

/** Parameters that libvirt may hold: declared, not secret, not the content of a file. */
export function publicParameters(
  values: ParameterValues,
  definitions: Readonly<Record<string, Parameter>>,
): ParameterValues {
  const isPublic = (name: string): boolean => {
    const definition = Object.hasOwn(definitions, name) ? definitions[name] : undefined
    return definition !== undefined && definition.type !== 'file' && definition.secret !== true
  }
  return Object.fromEntries(Object.entries(values).filter(([name]) => isPublic(name)))
}

/** `<vmpkg:domain …>`; `facts.parameters` must be public already. @throws {VmpkgError} `XML_INVALID` control characters */
export function formatDomainFacts(facts: DomainFacts): string {
  return formatFacts(facts, 'vmpkg:', ` xmlns:vmpkg="${VMPKG_NAMESPACE}"`)
}

/** The same without our prefix and namespace, which libvirt adds where it is given the element alone. */
export function formatPlainDomainFacts(facts: DomainFacts): string {
  return formatFacts(facts, '', '')
}

function formatFacts(facts: DomainFacts, prefix: string, namespace: string): string {
  const { parameters, ephemeral, endpoints, forwards, ...plain } = facts
  const children = Object.entries(parameters).map(([name, { value, origin }]) => {
    const written = formatAttributes({ name, type: typeof value, value: String(value), origin })
    return `\n  <${prefix}parameter${written}/>`
  })
  const attributes = formatAttributes({
    ...plain,
    endpoints: endpoints?.map(formatEndpoint).join(' '),
    forwards: forwards?.map(({ protocol, port, target }) => `${protocol}:${port}:${target}`).join(' '),
    ephemeral: ephemeral ? 'yes' : 'no',
  })
  const end = children.length === 0 ? '/>' : `>${children.join('')}\n</${prefix}domain>`
  return `<${prefix}domain${namespace}${attributes}${end}`
}

/** `<vmpkg:network …/>`. @throws {VmpkgError} `XML_INVALID` control characters */
export function formatNetworkFacts(facts: NetworkFacts): string {
  return `<vmpkg:network xmlns:vmpkg="${VMPKG_NAMESPACE}"${formatAttributes({ ...facts })}/>`
}

/**
 * What the XML of a domain says about itself; undefined where it is not ours, or no longer whole (then it is foreign and
 * never touched). @throws {VmpkgError} `XML_INVALID`
 */
export function readDomainFacts(xml: string): DomainFacts | undefined {
  const element = findOurs(xml, 'domain')
  const common = element && readPackageFacts(element)
  if (element === undefined || common === undefined) return undefined
  const read = reader(element)
  const [net, overlay, medium, serialLog] = ['net', 'overlay', 'medium', 'serialLog'].map(read)
  const kind = KINDS.find((candidate) => candidate === read('kind'))
  const ephemeral = read('ephemeral')
  const storage = STORAGES.find((candidate) => candidate === read('storage'))
  const pool = POOL_STATES.find((candidate) => candidate === read('pool'))
  const [alias, shape, attendant] = [read('alias'), read('shape'), read('attendant')]
  const [base, rules, lanMac] = [read('base'), read('rules'), read('lanMac')]
  const [wanMac, wanAddress] = [read('wanMac'), read('wanAddress')]
  const endpoints = readEndpoints(read('endpoints'))
  const forwards = readForwards(read('forwards'))
  const reach = read('reach')
  const parameters = readParameters(element)
  if (kind === undefined || parameters === undefined || (ephemeral !== 'yes' && ephemeral !== 'no')) return undefined
  return {
    ...common,
    kind,
    ephemeral: ephemeral === 'yes',
    ...(storage === undefined ? {} : { storage }),
    ...(alias !== undefined && isDomainName(alias) ? { alias } : {}),
    ...(pool === undefined ? {} : { pool }),
    ...(shape !== undefined && isSha256(shape) ? { shape } : {}),
    ...(attendant !== undefined && ATTENDANT.test(attendant) ? { attendant } : {}),
    ...(net === undefined ? {} : { net }),
    ...(overlay === undefined ? {} : { overlay }),
    ...(medium === undefined ? {} : { medium }),
    ...(serialLog === undefined ? {} : { serialLog }),
    ...(base !== undefined && isSha256(base) ? { base } : {}),
    ...(rules !== undefined && isSha256(rules) ? { rules } : {}),
    ...(lanMac !== undefined && MAC.test(lanMac) ? { lanMac } : {}),
    ...(wanMac !== undefined && MAC.test(wanMac) ? { wanMac } : {}),
    ...(wanAddress !== undefined && ADDRESS.test(wanAddress) ? { wanAddress } : {}),
    ...(endpoints === undefined ? {} : { endpoints }),
    ...(forwards === undefined ? {} : { forwards }),
    // Earlier versions wrote `tcp`.
    ...(reach === 'tor' || reach === 'tcp' ? { reach: 'tor' } : {}),
    parameters,
  }
}

/** As `readDomainFacts`, for a network. @throws {VmpkgError} `XML_INVALID` */
export function readNetworkFacts(xml: string): NetworkFacts | undefined {
  const element = findOurs(xml, 'network')
  const common = element && readPackageFacts(element)
  const role = element && getAttribute(element, 'role')
  const cidr = element && getAttribute(element, 'cidr')
  if (common === undefined || cidr === undefined || !CIDR.test(cidr)) return undefined
  return role === 'lan' || role === 'uplink' ? { ...common, role, cidr } : undefined
}

/** `udp:203.0.113.7:1194`, with blanks between several. */
function formatEndpoint({ protocol, address, port }: EndpointContext): string {
  return `${protocol}:${address}:${port}`
}

/** All of them or none: half a list would be another policy. */
function readEndpoints(text: string | undefined): readonly EndpointContext[] | undefined {
  if (text === undefined) return undefined
  const words = text.split(' ').filter((word) => word !== '')
  const endpoints = words.map((word): EndpointContext | undefined => {
    const [, protocol, address = '', port] = /^(udp|tcp):([\d.]+):(\d{1,5})$/.exec(word) ?? []
    if ((protocol !== 'udp' && protocol !== 'tcp') || !ADDRESS.test(address)) return undefined
    return { protocol, address, port: Number(port) }
  })
  return endpoints.every((one) => one !== undefined) ? endpoints : undefined
}

/** All of them or none. */
function readForwards(text: string | undefined): readonly PortForward[] | undefined {
  if (text === undefined) return undefined
  const forwards = text.split(' ').map((word): PortForward | undefined => {
    const [, protocol, port, target] = /^(udp|tcp):(\d{1,5}):(\d{1,5})$/.exec(word) ?? []
    const isPort = (value: number): boolean => value >= 1 && value <= 65_535
    if ((protocol !== 'udp' && protocol !== 'tcp') || !isPort(Number(port)) || !isPort(Number(target))) return undefined
    return { protocol, port: Number(port), target: Number(target) }
  })
  return forwards.every((one) => one !== undefined) ? forwards : undefined
}

function findOurs(xml: string, name: 'domain' | 'network'): XmlElement | undefined {
  const { root } = parseXml(xml)
  const [metadata] = childElements(root).filter((child) => child.name === 'metadata')
  const found = findInNamespace(root, VMPKG_NAMESPACE, name)
  const [element] = found
  const isOurs = found.length === 1 && element !== undefined && metadata?.children.includes(element) === true
  return isOurs && root.name === name ? element : undefined
}

function readPackageFacts(element: XmlElement): Omit<NetworkFacts, 'role' | 'cidr'> | undefined {
  const read = reader(element)
  const [name, version, digest, origin, createdAt] = ['package', 'version', 'digest', 'origin', 'createdAt'].map(read)
  if (name === undefined || version === undefined || digest === undefined || origin === undefined) return undefined
  if (createdAt === undefined || !NAME.test(name) || !isSha256(digest) || !DATE.test(createdAt)) return undefined
  const layer = LAYERS.find((candidate) => candidate === read('layer'))
  const instance = read('instance')
  return {
    package: name,
    version,
    digest,
    origin,
    createdAt,
    ...(layer === undefined ? {} : { layer }),
    ...(instance === undefined ? {} : { instance }),
  }
}

function readParameters(element: XmlElement): ParameterValues | undefined {
  const values: Record<string, { value: ParameterValue; origin: Origin }> = {}
  for (const child of childElements(element)) {
    const read = reader(child)
    const [name, text] = [read('name'), read('value')]
    const origin = ORIGINS.find((candidate) => candidate === read('origin'))
    if (!child.name.endsWith(':parameter') || name === undefined || text === undefined) return undefined
    const value = readValue(read('type'), text)
    if (origin === undefined || value === undefined || name === '__proto__') return undefined
    values[name] = { value, origin }
  }
  return values
}

function readValue(type: string | undefined, text: string): ParameterValue | undefined {
  if (type === 'string') return text
  if (type === 'number' && Number.isFinite(Number(text))) return Number(text)
  return type === 'boolean' && (text === 'true' || text === 'false') ? text === 'true' : undefined
}

function reader(element: XmlElement): (name: string) => string | undefined {
  return (name) => getAttribute(element, name)
}

function formatAttributes(values: Readonly<Record<string, string | undefined>>): string {
  return Object.entries(values)
    .map(([name, value]) => (value === undefined ? '' : ` ${name}="${escapeXml(value)}"`))
    .join('')
}
