/** How a connection lists, finds, defines and starts virtual networks, filters, and interfaces of the host. */
import { flags, list, string, uuid, xml } from './codecs.ts'
import { call } from './methods.ts'
import { hostInterface, network, nwFilter, nwFilterBinding } from './references.ts'
import { counted, need, none, validated } from './vocabulary.ts'

const virtualNetworks = {
  /**
   * All networks, or those that the flags choose; of each group (`active`/`inactive`, …) that is named one must fit.
   */
  listAllNetworks: call(
    'CONNECT_LIST_ALL_NETWORKS',
    283,
    '0.10.2',
    { need, flags: flags({ inactive: 1, active: 2, persistent: 4, transient: 8, autostart: 16, noAutostart: 32 }) },
    { networks: list(network), ret: counted },
  ),
  /**
   * The network with this name, active or not.
   * @throws {LibvirtError} `noNetwork` when there is none
   */
  networkLookupByName: call('NETWORK_LOOKUP_BY_NAME', 46, '0.2.0', { name: string }, { network }),
  /**
   * The network with this UUID, active or not.
   * @throws {LibvirtError} `noNetwork` when there is none
   */
  networkLookupByUuid: call('NETWORK_LOOKUP_BY_UUID', 47, '0.2.0', { uuid }, { network }),
  /**
   * Makes a definition, or replaces that of the network with the same UUID; one that is active goes on as it was. It is
   * not started.
   * @throws {LibvirtError} `operationFailed` when the name belongs to a network of another UUID, `xmlError`,
   * `xmlDetail`, `configUnsupported` when the XML is wrong
   */
  networkDefineXML: call('NETWORK_DEFINE_XML', 41, '0.2.0', { xml }, { network }),
  /**
   * As `networkDefineXML`, with flags.
   * @throws {LibvirtError} as of `networkDefineXML`; `xmlInvalidSchema` with `validate`
   */
  networkDefineXMLFlags: call('NETWORK_DEFINE_XML_FLAGS', 432, '7.7.0', { xml, flags: validated }, { network }),
  /**
   * Starts a network that is gone when it is stopped, unless one with its UUID is defined.
   * @throws {LibvirtError} `operationInvalid` or `operationFailed` when it is active already or the name belongs to
   * another, `internalError` when bridge, address or dnsmasq cannot be had, `xmlError`, `xmlDetail`
   */
  networkCreateXML: call('NETWORK_CREATE_XML', 40, '0.2.0', { xml }, { network }),
  /**
   * As `networkCreateXML`, with flags.
   * @throws {LibvirtError} as of `networkCreateXML`; `xmlInvalidSchema` with `validate`
   */
  networkCreateXMLFlags: call('NETWORK_CREATE_XML_FLAGS', 437, '7.8.0', { xml, flags: validated }, { network }),
}

const filters = {
  /**
   * All network filters; libvirt brings some to the system's daemon, a session's has none.
   * @throws {LibvirtError} `noSupport` or `internalError` from a daemon without this driver
   */
  listAllNWFilters: call(
    'CONNECT_LIST_ALL_NWFILTERS',
    286,
    '0.10.2',
    { need, flags: none },
    { filters: list(nwFilter), ret: counted },
  ),
  /**
   * The filter with this name.
   * @throws {LibvirtError} `noNwfilter` when there is none
   */
  nwfilterLookupByName: call('NWFILTER_LOOKUP_BY_NAME', 175, '0.8.0', { name: string }, { filter: nwFilter }),
  /**
   * The filter with this UUID.
   * @throws {LibvirtError} `noNwfilter` when there is none
   */
  nwfilterLookupByUuid: call('NWFILTER_LOOKUP_BY_UUID', 176, '0.8.0', { uuid }, { filter: nwFilter }),
  /**
   * Makes a filter, or replaces the one with the same name and UUID; the rules of cards that use it change at once.
   * @throws {LibvirtError} `operationFailed` when name and UUID belong to different filters or it would include itself,
   * `xmlError`, `xmlDetail` when the XML is wrong, `xmlInvalidSchema` with `validate`
   */
  nwfilterDefineXML: call('NWFILTER_DEFINE_XML_FLAGS', 431, '7.7.0', { xml, flags: validated }, { filter: nwFilter }),
  /** All bindings: which filter's rules stand for which device of the host now. */
  listAllNWFilterBindings: call(
    'CONNECT_LIST_ALL_NWFILTER_BINDINGS',
    401,
    '4.5.0',
    { need, flags: none },
    { bindings: list(nwFilterBinding), ret: counted },
  ),
  /**
   * The binding of the device with this name, as `vnet0`.
   * @throws {LibvirtError} `noNwfilterBinding` when there is none
   */
  nwfilterBindingLookupByPortDev: call(
    'NWFILTER_BINDING_LOOKUP_BY_PORT_DEV',
    397,
    '4.5.0',
    { portDev: string },
    { binding: nwFilterBinding },
  ),
  /**
   * Puts a filter's rules on a device of the host. Hypervisor drivers do so for their domains' cards by themselves.
   * @throws {LibvirtError} `operationFailed` when the device has a binding, `noNwfilter`, `xmlError`,
   * `xmlInvalidSchema`
   */
  nwfilterBindingCreateXML: call(
    'NWFILTER_BINDING_CREATE_XML',
    399,
    '4.5.0',
    {
      xml,
      flags: validated,
    },
    { binding: nwFilterBinding },
  ),
}

const hostInterfaces = {
  /** Interfaces of the host, all or those that the flags choose. */
  listAllInterfaces: call(
    'CONNECT_LIST_ALL_INTERFACES',
    284,
    '0.10.2',
    { need, flags: flags({ inactive: 1, active: 2 }) },
    { interfaces: list(hostInterface), ret: counted },
  ),
  /**
   * The host's interface with this name, as `eth0`.
   * @throws {LibvirtError} `noInterface` when there is none
   */
  interfaceLookupByName: call('INTERFACE_LOOKUP_BY_NAME', 128, '0.6.4', { name: string }, { interface: hostInterface }),
  /**
   * The host's interface with this hardware address, as `52:54:00:00:00:01`.
   * @throws {LibvirtError} `noInterface` when there is none, `multipleInterfaces` when several have it
   */
  interfaceLookupByMACString: call(
    'INTERFACE_LOOKUP_BY_MAC_STRING',
    129,
    '0.6.4',
    { mac: string },
    { interface: hostInterface },
  ),
  /**
   * Makes or replaces the host's own configuration of an interface; it is not started. Lasting at once, unless
   * `interfaceChangeBegin` came before.
   * @throws {LibvirtError} `noSupport` where libvirt is built without netcf, as Debian's, `xmlError`
   */
  interfaceDefineXML: call(
    'INTERFACE_DEFINE_XML',
    131,
    '0.6.4',
    { xml, flags: validated },
    { interface: hostInterface },
  ),
  /**
   * Keeps a copy of the host's interface configuration, to which `interfaceChangeRollback` or the host's next start
   * goes back, unless `interfaceChangeCommit` comes before.
   * @throws {LibvirtError} `operationInvalid` when a change is open already, `noSupport` without netcf
   */
  interfaceChangeBegin: call('INTERFACE_CHANGE_BEGIN', 220, '0.9.2', { flags: none }),
  /**
   * Makes what was changed since `interfaceChangeBegin` lasting.
   * @throws {LibvirtError} `operationInvalid` when no change is open, `noSupport` without netcf
   */
  interfaceChangeCommit: call('INTERFACE_CHANGE_COMMIT', 221, '0.9.2', { flags: none }),
  /**
   * Goes back to the configuration of `interfaceChangeBegin`.
   * @throws {LibvirtError} `operationInvalid` when no change is open, `noSupport` without netcf
   */
  interfaceChangeRollback: call('INTERFACE_CHANGE_ROLLBACK', 222, '0.9.2', { flags: none }),
}

export const networkLookups = { ...virtualNetworks, ...filters, ...hostInterfaces }
