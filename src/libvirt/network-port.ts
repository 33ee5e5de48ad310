/** A port of a virtual network: one card of one guest. Hypervisor drivers make them; a client may look. */
import { fixed, i32, string } from './codecs.ts'
import { call, type Invoker, liveObject } from './methods.ts'
import { parameters } from './parameters.ts'
import { type NamedIdentity, type NetworkPortIdentity, networkPort } from './references.ts'
import { counted, none } from './vocabulary.ts'

/** KiB/s for averages and peaks, KiB for bursts. */
const bandwidth = parameters({
  'inbound.average': 'u32',
  'inbound.peak': 'u32',
  'inbound.burst': 'u32',
  'inbound.floor': 'u32',
  'outbound.average': 'u32',
  'outbound.peak': 'u32',
  'outbound.burst': 'u32',
})

export const networkPortMethods = {
  getXMLDesc: call('NETWORK_PORT_GET_XML_DESC', 409, '5.5.0', { flags: none }, { xml: string }),
  getParameters: call(
    'NETWORK_PORT_GET_PARAMETERS',
    407,
    '5.5.0',
    { nparams: fixed(i32, 16), flags: none },
    { params: bandwidth, nparams: counted },
  ),
  setParameters: call('NETWORK_PORT_SET_PARAMETERS', 408, '5.5.0', { params: bandwidth, flags: none }),
  delete: call('NETWORK_PORT_DELETE', 410, '5.5.0', { flags: none }),
}

/** A reference to a port, by its network and its own UUID. */
export class NetworkPort extends liveObject(networkPortMethods, networkPort) implements NetworkPortIdentity {
  readonly network: NamedIdentity
  readonly uuid: string

  constructor(connect: Invoker, identity: NetworkPortIdentity) {
    super(connect)
    this.network = identity.network
    this.uuid = identity.uuid
  }
}
