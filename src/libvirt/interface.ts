/**
 * A network interface of the daemon's host, as its own configuration has it. A libvirt that is built without netcf, as
 * Debian's, can list and describe interfaces only.
 */
import { bool, flags, string } from './codecs.ts'
import { call, type Invoker, liveObject } from './methods.ts'
import { hostInterface, type InterfaceIdentity } from './references.ts'
import { none } from './vocabulary.ts'

export const interfaceMethods = {
  /** Its configuration: what is active, else what is set. */
  getXMLDesc: call(
    'INTERFACE_GET_XML_DESC',
    130,
    '0.6.4',
    {
      flags: flags({
        /** What is set, also while it is active. */
        inactive: 1,
      }),
    },
    { xml: string },
  ),
  /**
   * Brings it up, as `ifup` does.
   * @throws {LibvirtError} `noSupport` without netcf, `operationInvalid` when it is up
   */
  create: call('INTERFACE_CREATE', 133, '0.6.4', { flags: none }),
  /**
   * Takes it down, as `ifdown` does; mind what the connection goes over.
   * @throws {LibvirtError} `noSupport` without netcf, `operationInvalid` when it is down
   */
  destroy: call('INTERFACE_DESTROY', 134, '0.6.4', { flags: none }),
  /**
   * Removes its configuration, for good unless `interfaceChangeBegin` came before.
   * @throws {LibvirtError} `noSupport` without netcf
   */
  undefine: call('INTERFACE_UNDEFINE', 132, '0.6.4'),
  /** Whether it is up. A daemon without an interface driver dies of the question (seen with Debian's 11.3 and 12.8). */
  isActive: call('INTERFACE_IS_ACTIVE', 156, '0.7.3', {}, { active: bool }),
}

/** A reference to an interface, by its name. When it is gone every method fails with `noInterface`. */
export class Interface extends liveObject(interfaceMethods, hostInterface) implements InterfaceIdentity {
  readonly name: string
  /** Its hardware address; empty where it has none. */
  readonly mac: string

  constructor(connect: Invoker, identity: InterfaceIdentity) {
    super(connect)
    this.name = identity.name
    this.mac = identity.mac
  }
}
