/** A virtual network. */
import {
  bool,
  choice,
  flags,
  i32,
  i64,
  list,
  maybe,
  numbered,
  preset,
  string,
  struct,
  u32,
  uuid,
  xml,
} from './codecs.ts'
import { call, type Invoker, liveObject } from './methods.ts'
import { type NamedIdentity, network, networkPort } from './references.ts'
import { counted, impact, metadataType, need, none } from './vocabulary.ts'

const lease = struct({
  /** The network's bridge. */
  interface: string,
  /** Seconds since 1970; 0 is never. */
  expiryTime: i64,
  type: choice('ipv4', 'ipv6'),
  mac: maybe(string),
  /** The guest's number of its interface, with IPv6 only. */
  iaid: maybe(string),
  address: string,
  prefix: u32,
  hostname: maybe(string),
  /** The guest's DUID with IPv6. */
  clientId: maybe(string),
})

export const networkMethods = {
  /**
   * Starts a defined network.
   * @throws {LibvirtError} `operationInvalid` when it is active, `internalError` when bridge, address or dnsmasq cannot
   * be had
   */
  create: call('NETWORK_CREATE', 39, '0.2.0'),
  /**
   * Stops it; a network without a definition is gone then. Domains on it keep running and lose what it gave them.
   * @throws {LibvirtError} `operationInvalid` when it is not active
   */
  destroy: call('NETWORK_DESTROY', 42, '0.2.0'),
  /**
   * Removes its definition. An active one runs on until it is stopped.
   * @throws {LibvirtError} `operationInvalid` when it has none
   */
  undefine: call('NETWORK_UNDEFINE', 49, '0.2.0'),
  /** Its XML: of what is active, else the definition. */
  getXMLDesc: call(
    'NETWORK_GET_XML_DESC',
    43,
    '0.2.0',
    {
      flags: flags({
        /** The definition, as it will be started the next time; without what only an active network has. */
        inactive: 1,
      }),
    },
    { xml: string },
  ),
  /**
   * Name of its bridge on the host.
   * @throws {LibvirtError} `internalError` when it has none, as in the modes that hand guests a device of the host
   */
  getBridgeName: call('NETWORK_GET_BRIDGE_NAME', 45, '0.2.0', {}, { name: string }),
  /** Whether it starts with the daemon. */
  getAutostart: call('NETWORK_GET_AUTOSTART', 44, '0.2.1', {}, { autostart: bool }),
  /**
   * Sets whether it starts with the daemon (of the system: with the host).
   * @throws {LibvirtError} `operationInvalid` when it has no definition
   */
  setAutostart: call('NETWORK_SET_AUTOSTART', 48, '0.2.1', { autostart: bool }),
  /** Whether it is started. */
  isActive: call('NETWORK_IS_ACTIVE', 152, '0.7.3', {}, { active: bool }),
  /** Whether it has a definition, and so stays when it is stopped. */
  isPersistent: call('NETWORK_IS_PERSISTENT', 153, '0.7.3', {}, { persistent: bool }),
  /**
   * Changes one element of it: `xml` is that element alone, as `<host mac='…' ip='…'/>`. `parentIndex` is the number of
   * the `<ip>` it belongs to; −1, also when left out, finds it.
   * @throws {LibvirtError} `operationInvalid` when the element is there already or not at all, or `live` is asked of a
   * stopped network; `operationUnsupported`, `configUnsupported` for sections that cannot be changed so; `xmlError`
   */
  update: call('NETWORK_UPDATE', 291, '0.10.2', {
    /** `modify` and `delete` find the element by what identifies it: an address, a name. */
    command: numbered({ modify: 1, delete: 2, addLast: 3, addFirst: 4 }),
    section: numbered({
      /** Cannot be changed. */
      bridge: 1,
      /** Cannot be changed. */
      domain: 2,
      /** Cannot be changed. */
      ip: 3,
      /** `<host>` in `<ip><dhcp>`. */
      ipDhcpHost: 4,
      /** `<range>` in `<ip><dhcp>`; not `modify`. */
      ipDhcpRange: 5,
      /** Cannot be changed. */
      forward: 6,
      /** `<interface>` in `<forward>`; not `modify`. */
      forwardInterface: 7,
      /** Cannot be changed. */
      forwardPf: 8,
      portgroup: 9,
      /** `<host>` in `<dns>`; libvirt 9.0 does not `modify` it, 11.3 does. */
      dnsHost: 10,
      /** `<txt>` in `<dns>`; libvirt 9.0 does not `modify` it, 11.3 does. */
      dnsTxt: 11,
      /** `<srv>` in `<dns>`; not `modify`. */
      dnsSrv: 12,
    }),
    parentIndex: preset(i32, -1),
    xml,
    flags: impact,
  }),
  /**
   * The addresses that its DHCP server has given out, of all guests or of the one with this hardware address. Those
   * that expired are left out.
   * @throws {LibvirtError} `invalidMac`
   */
  getDHCPLeases: call(
    'NETWORK_GET_DHCP_LEASES',
    341,
    '1.2.6',
    { mac: maybe(string), need, flags: none },
    { leases: list(lease), ret: counted },
  ),
  /**
   * Sets its description, title, or an element of its own namespace: `key` is then the prefix, `uri` the namespace.
   * Without `metadata` the entry is removed.
   * @throws {LibvirtError} `invalidArg` for a title of several lines or an element without key or URI,
   * `operationInvalid` for `live` when it is stopped
   */
  setMetadata: call('NETWORK_SET_METADATA', 444, '9.7.0', {
    type: metadataType,
    metadata: maybe(xml),
    key: maybe(string),
    uri: maybe(string),
    flags: impact,
  }),
  /**
   * Its description, title, or the element of the namespace `uri`.
   * @throws {LibvirtError} `noNetworkMetadata` when there is none
   */
  getMetadata: call(
    'NETWORK_GET_METADATA',
    445,
    '9.7.0',
    { type: metadataType, uri: maybe(string), flags: impact },
    { metadata: string },
  ),
  /** Its ports: the cards that are plugged in now. */
  listAllPorts: call(
    'NETWORK_LIST_ALL_PORTS',
    404,
    '5.5.0',
    { need, flags: none },
    { ports: list(networkPort), ret: counted },
  ),
  /**
   * Its port with this UUID, which the running domain's XML names as `portid`.
   * @throws {LibvirtError} `noNetworkPort` when there is none
   */
  portLookupByUuid: call('NETWORK_PORT_LOOKUP_BY_UUID', 405, '5.5.0', { uuid }, { port: networkPort }),
  /**
   * Makes a port, of a UUID that the XML must give. Hypervisor drivers do so for their domains' cards; by hand it is
   * for a card that is none of libvirt's.
   * @throws {LibvirtError} `networkPortExist` when the UUID is taken, `operationInvalid` when the network is not
   * active, `invalidArg` for a plug type that does not fit `reclaim`, `internalError` when UUID or owner are missing
   */
  portCreateXML: call(
    'NETWORK_PORT_CREATE_XML',
    406,
    '5.5.0',
    {
      xml,
      flags: flags({
        /** The device is plugged in already: take note of it only. */
        reclaim: 1,
        /** Refuse XML that libvirt's schema does not allow, with `xmlInvalidSchema`. */
        validate: 2,
      }),
    },
    { port: networkPort },
  ),
}

/**
 * A reference to a network; `name` is what it was when it was read. When it is gone every method fails with
 * `noNetwork`, and what changes it with `operationDenied` over a connection that was opened with `readonly`.
 */
export class Network extends liveObject(networkMethods, network) implements NamedIdentity {
  readonly name: string
  readonly uuid: string

  constructor(connect: Invoker, identity: NamedIdentity) {
    super(connect)
    this.name = identity.name
    this.uuid = identity.uuid
  }
}
