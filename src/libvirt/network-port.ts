/** A port of a virtual network: one card of one guest. Hypervisor drivers make them; a client may look. */
import { fixed, i32, string } from './codecs.ts'
import { call, type Invoker, liveObject } from './methods.ts'
import { parameters } from './parameters.ts'
import { type NamedIdentity, type NetworkPortIdentity, networkPort } from './references.ts'
import { counted, none } from './vocabulary.ts'

/** KiB/s for averages and peaks, KiB for bursts. Inbound is what goes to the guest. */
const bandwidth = parameters({
  'inbound.average': 'u32',
  /** What a burst may reach. */
  'inbound.peak': 'u32',
  /** What may go at the peak's speed. */
  'inbound.burst': 'u32',
  /** What the port gets in any case; the network needs an inbound average of its own. */
  'inbound.floor': 'u32',
  'outbound.average': 'u32',
  'outbound.peak': 'u32',
  'outbound.burst': 'u32',
})

export const networkPortMethods = {
  /** What is plugged in: owner, hardware address, device, bandwidth. */
  getXMLDesc: call('NETWORK_PORT_GET_XML_DESC', 409, '5.5.0', { flags: none }, { xml: string }),
  /** Its limits of bandwidth; what has none is left out. */
  getParameters: call(
    'NETWORK_PORT_GET_PARAMETERS',
    407,
    '5.5.0',
    { nparams: fixed(i32, 16), flags: none },
    { params: bandwidth, nparams: counted },
  ),
  /**
   * Sets its limits of bandwidth; a direction that is not named keeps those it has, an average of 0 removes them.
   * @throws {LibvirtError} `operationInvalid` when the network is not active, `operationUnsupported` for a floor that
   * the network cannot give
   */
  setParameters: call('NETWORK_PORT_SET_PARAMETERS', 408, '5.5.0', { params: bandwidth, flags: none }),
  /** Unplugs it from the network; the domain is not told. */
  delete: call('NETWORK_PORT_DELETE', 410, '5.5.0', { flags: none }),
}

/**
 * A reference to a port, by its network and its own UUID. When it is gone every method fails with `noNetworkPort`, when
 * the network is, with `noNetwork`.
 */
export class NetworkPort extends liveObject(networkPortMethods, networkPort) implements NetworkPortIdentity {
  readonly network: NamedIdentity
  readonly uuid: string

  constructor(connect: Invoker, identity: NetworkPortIdentity) {
    super(connect)
    this.network = identity.network
    this.uuid = identity.uuid
  }
}
