/** A virtual network. */
import { bool, choice, flags, i32, i64, list, maybe, numbered, preset, string, struct, u32, xml } from './codecs.ts'
import { call, type Invoker, liveObject } from './methods.ts'
import { type NamedIdentity, network } from './references.ts'
import { counted, impact, need, none } from './vocabulary.ts'

const lease = struct({
  interface: string,
  /** Seconds since 1970. */
  expiryTime: i64,
  type: choice('ipv4', 'ipv6'),
  mac: maybe(string),
  iaid: maybe(string),
  address: string,
  prefix: u32,
  hostname: maybe(string),
  clientId: maybe(string),
})

export const networkMethods = {
  /** Starts a defined network. */
  create: call('NETWORK_CREATE', 39, '0.2.0'),
  destroy: call('NETWORK_DESTROY', 42, '0.2.0'),
  undefine: call('NETWORK_UNDEFINE', 49, '0.2.0'),
  getXMLDesc: call('NETWORK_GET_XML_DESC', 43, '0.2.0', { flags: flags({ inactive: 1 }) }, { xml: string }),
  getBridgeName: call('NETWORK_GET_BRIDGE_NAME', 45, '0.2.0', {}, { name: string }),
  getAutostart: call('NETWORK_GET_AUTOSTART', 44, '0.2.1', {}, { autostart: bool }),
  setAutostart: call('NETWORK_SET_AUTOSTART', 48, '0.2.1', { autostart: bool }),
  isActive: call('NETWORK_IS_ACTIVE', 152, '0.7.3', {}, { active: bool }),
  isPersistent: call('NETWORK_IS_PERSISTENT', 153, '0.7.3', {}, { persistent: bool }),
  update: call('NETWORK_UPDATE', 291, '0.10.2', {
    command: numbered({ modify: 1, delete: 2, addLast: 3, addFirst: 4 }),
    section: numbered({
      bridge: 1,
      domain: 2,
      ip: 3,
      ipDhcpHost: 4,
      ipDhcpRange: 5,
      forward: 6,
      forwardInterface: 7,
      forwardPf: 8,
      portgroup: 9,
      dnsHost: 10,
      dnsTxt: 11,
      dnsSrv: 12,
    }),
    parentIndex: preset(i32, -1),
    xml,
    flags: impact,
  }),
  getDHCPLeases: call(
    'NETWORK_GET_DHCP_LEASES',
    341,
    '1.2.6',
    { mac: maybe(string), need, flags: none },
    { leases: list(lease), ret: counted },
  ),
  /** libvirt 9.7 and later. */
  setMetadata: call('NETWORK_SET_METADATA', 444, '9.7.0', {
    type: choice('description', 'title', 'element'),
    metadata: maybe(xml),
    key: maybe(string),
    uri: maybe(string),
    flags: impact,
  }),
  /** libvirt 9.7 and later. */
  getMetadata: call(
    'NETWORK_GET_METADATA',
    445,
    '9.7.0',
    { type: choice('description', 'title', 'element'), uri: maybe(string), flags: impact },
    { metadata: string },
  ),
}

/** A reference to a network; `name` is what it was when it was read. */
export class Network extends liveObject(networkMethods, network) implements NamedIdentity {
  readonly name: string
  readonly uuid: string

  constructor(connect: Invoker, identity: NamedIdentity) {
    super(connect)
    this.name = identity.name
    this.uuid = identity.uuid
  }
}
