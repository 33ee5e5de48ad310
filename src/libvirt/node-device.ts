/** A device of the daemon's host. */
import { maybe, string } from './codecs.ts'
import { call, type Invoker, liveObject } from './methods.ts'
import { type NodeDeviceIdentity, nodeDevice } from './references.ts'
import { none } from './vocabulary.ts'

export const nodeDeviceMethods = {
  getXMLDesc: call('NODE_DEVICE_GET_XML_DESC', 114, '0.5.0', { flags: none }, { xml: string }),
  detach: call('NODE_DEVICE_DETACH_FLAGS', 301, '1.0.5', { driverName: maybe(string), flags: none }),
  reAttach: call('NODE_DEVICE_RE_ATTACH', 119, '0.6.1'),
  reset: call('NODE_DEVICE_RESET', 120, '0.6.1'),
}

export class NodeDevice extends liveObject(nodeDeviceMethods, nodeDevice) implements NodeDeviceIdentity {
  readonly name: string

  constructor(connect: Invoker, identity: NodeDeviceIdentity) {
    super(connect)
    this.name = identity.name
  }
}
