/** A device of the daemon's host. */
import { bool, fixed, flags, i32, list, maybe, string, xml } from './codecs.ts'
import { call, type Invoker, liveObject } from './methods.ts'
import { type NodeDeviceIdentity, nodeDevice } from './references.ts'
import { impact, none } from './vocabulary.ts'

export const nodeDeviceMethods = {
  /** What the device is and can do, as `<device>`. */
  getXMLDesc: call(
    'NODE_DEVICE_GET_XML_DESC',
    114,
    '0.5.0',
    {
      flags: flags({
        /** The definition of a mediated device, also while it is active. libvirt 10.1 and later. */
        inactive: 1,
      }),
    },
    { xml: string },
  ),
  /** Name of the device it hangs on, `undefined` for the machine itself. */
  getParent: call('NODE_DEVICE_GET_PARENT', 115, '0.5.0', {}, { parent: maybe(string) }),
  /** What it is capable of, as `pci`, `net`, `storage`; the first thousand. */
  listCaps: call('NODE_DEVICE_LIST_CAPS', 117, '0.5.0', { maxNames: fixed(i32, 1000) }, { names: list(string) }),
  /**
   * Takes a PCI device from the host's own driver, so that it can be given to a guest: `driverName` is `vfio` (the
   * default) or the name of a kernel module.
   * @throws {LibvirtError} `invalidArg` when it is no PCI device, `operationInvalid` when a guest has it,
   * `argumentUnsupported` when the host has no such driver
   */
  detach: call('NODE_DEVICE_DETACH_FLAGS', 301, '1.0.5', { driverName: maybe(string), flags: none }),
  /**
   * Gives a PCI device back to the host's own driver.
   * @throws {LibvirtError} `invalidArg` when it is no PCI device, `operationInvalid` when a guest has it
   */
  reAttach: call('NODE_DEVICE_RE_ATTACH', 119, '0.6.1'),
  /**
   * Resets a PCI device that was detached.
   * @throws {LibvirtError} `invalidArg` when it is no PCI device, `operationInvalid` when a guest has it,
   * `internalError` when another device in use would be reset with it
   */
  reset: call('NODE_DEVICE_RESET', 120, '0.6.1'),
  /**
   * Starts a mediated device that is defined.
   * @throws {LibvirtError} `operationInvalid` when it is active, `configUnsupported` for any other device
   */
  create: call('NODE_DEVICE_CREATE', 430, '7.3.0', { flags: none }),
  /**
   * Stops a virtual port or mediated device; one without a definition is gone then.
   * @throws {LibvirtError} `operationInvalid` when it is not active, `internalError` when it is in use,
   * `configUnsupported` for any other device
   */
  destroy: call('NODE_DEVICE_DESTROY', 124, '0.6.3'),
  /**
   * Removes the definition of a mediated device.
   * @throws {LibvirtError} `operationInvalid` when it has none, `configUnsupported` for any other device
   */
  undefine: call('NODE_DEVICE_UNDEFINE', 429, '7.3.0', { flags: none }),
  /**
   * Changes a mediated device to what `xml` says of it: what is active, its definition, or both.
   * @throws {LibvirtError} `configUnsupported` for any other device and for what cannot change, `operationInvalid` for
   * `live` when it is not active, `operationUnsupported` when the host's mdevctl cannot
   */
  update: call('NODE_DEVICE_UPDATE', 447, '10.1.0', { xml, flags: impact }),
  /** Whether a mediated device is made when its parent comes up. */
  getAutostart: call('NODE_DEVICE_GET_AUTOSTART', 433, '7.8.0', {}, { autostart: bool }),
  /**
   * Sets whether a mediated device is made when its parent comes up.
   * @throws {LibvirtError} `operationInvalid` when it has no definition, `operationUnsupported` for any other device
   */
  setAutostart: call('NODE_DEVICE_SET_AUTOSTART', 434, '7.8.0', { autostart: bool }),
  /** Whether it is there when the host starts again: devices of hardware, and mediated ones with a definition. */
  isPersistent: call('NODE_DEVICE_IS_PERSISTENT', 435, '7.8.0', {}, { persistent: bool }),
  /** Whether it exists now, and is not only defined. */
  isActive: call('NODE_DEVICE_IS_ACTIVE', 436, '7.8.0', {}, { active: bool }),
}

/**
 * A reference to a device, by its name. When it is gone every method fails with `noNodeDevice`, and what changes it
 * with `operationDenied` over a connection that was opened with `readonly`.
 */
export class NodeDevice extends liveObject(nodeDeviceMethods, nodeDevice) implements NodeDeviceIdentity {
  readonly name: string

  constructor(connect: Invoker, identity: NodeDeviceIdentity) {
    super(connect)
    this.name = identity.name
  }
}
