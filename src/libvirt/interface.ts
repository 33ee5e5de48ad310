/** A network interface of the daemon's host, as its own configuration has it. Debian's libvirt is built without. */
import { bool, flags, string } from './codecs.ts'
import { call, type Invoker, liveObject } from './methods.ts'
import { hostInterface, type InterfaceIdentity } from './references.ts'
import { none } from './vocabulary.ts'

export const interfaceMethods = {
  getXMLDesc: call('INTERFACE_GET_XML_DESC', 130, '0.6.4', { flags: flags({ inactive: 1 }) }, { xml: string }),
  create: call('INTERFACE_CREATE', 133, '0.6.4', { flags: none }),
  destroy: call('INTERFACE_DESTROY', 134, '0.6.4', { flags: none }),
  undefine: call('INTERFACE_UNDEFINE', 132, '0.6.4'),
  isActive: call('INTERFACE_IS_ACTIVE', 156, '0.7.3', {}, { active: bool }),
}

/** A reference to an interface, by its name. */
export class Interface extends liveObject(interfaceMethods, hostInterface) implements InterfaceIdentity {
  readonly name: string
  readonly mac: string

  constructor(connect: Invoker, identity: InterfaceIdentity) {
    super(connect)
    this.name = identity.name
    this.mac = identity.mac
  }
}
