/** A domain's devices: plugging, unplugging, changing, and the addresses of its network cards. */
import { choice, flags, list, maybe, string, struct, u32, xml } from './codecs.ts'
import { call } from './methods.ts'
import { impact, none } from './vocabulary.ts'

const address = struct({
  type: choice('ipv4', 'ipv6'),
  address: string,
  /** Bits; 0 when the source does not tell. */
  prefix: u32,
})

export const deviceMethods = {
  /**
   * Adds a device. Without flags only to the running domain, if it runs.
   * @throws {LibvirtError} `operationInvalid` or `operationFailed` when its place is taken, `operationInvalid` for
   * `live` on a stopped domain, `configUnsupported` or `operationUnsupported` for what cannot be plugged, `xmlError`
   */
  attachDevice: call('DOMAIN_ATTACH_DEVICE_FLAGS', 160, '0.7.7', { xml, flags: impact }, undefined, {
    isLong: true,
  }),
  /**
   * Removes the device that the XML describes. Of a running domain it may return before the guest has let go, and a
   * guest may never: wait for the event `domain.deviceRemoved` or `domain.deviceRemovalFailed`.
   * @throws {LibvirtError} `deviceMissing` (of a running domain also `operationFailed`) when there is none,
   * `operationInvalid` for `live` on a stopped domain, `operationUnsupported`
   */
  detachDevice: call('DOMAIN_DETACH_DEVICE_FLAGS', 161, '0.7.7', { xml, flags: impact }, undefined, {
    isLong: true,
  }),
  /**
   * Removes the device of an alias; unlike `detachDevice` it never waits for the guest.
   * @throws {LibvirtError} `internalError` (of some kinds of device `deviceMissing`) when there is none,
   * `operationInvalid`
   */
  detachDeviceAlias: call('DOMAIN_DETACH_DEVICE_ALIAS', 392, '4.4.0', { alias: string, flags: impact }),
  /**
   * Changes a device to what the XML says: the medium of a CD drive, the link state or source of a card, the password
   * of a display. What cannot change says so.
   * @throws {LibvirtError} `operationUnsupported` or `configUnsupported` for what cannot change, `internalError` or
   * `deviceMissing` when there is no such device, `operationFailed` when the guest has locked the tray
   */
  updateDevice: call(
    'DOMAIN_UPDATE_DEVICE_FLAGS',
    174,
    '0.8.0',
    {
      xml,
      flags: flags({
        /** The running domain. */
        live: 1,
        /** The definition. */
        config: 2,
        /** Opens a tray that the guest has locked. */
        force: 4,
      }),
    },
    undefined,
    { isLong: true },
  ),
  /**
   * The addresses of its network cards. `lease` asks the DHCP of libvirt's own networks, `agent` the guest (names are
   * then the guest's), `arp` the host's table of neighbours, which may be old and has no prefixes.
   * @throws {LibvirtError} `operationInvalid` when it does not run, `agentUnresponsive`, `argumentUnsupported`
   */
  interfaceAddresses: call(
    'DOMAIN_INTERFACE_ADDRESSES',
    353,
    '1.2.14',
    { source: choice('lease', 'agent', 'arp'), flags: none },
    { interfaces: list(struct({ name: string, hwaddr: maybe(string), addresses: list(address) })) },
    { isLong: true },
  ),
}
