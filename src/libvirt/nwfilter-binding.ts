/** The binding of a network filter to one port: that the filter's rules stand for that device now. */
import { string } from './codecs.ts'
import { call, type Invoker, liveObject } from './methods.ts'
import { type NwFilterBindingIdentity, nwFilterBinding } from './references.ts'
import { none } from './vocabulary.ts'

export const nwFilterBindingMethods = {
  /** Device, filter and the values of its parameters, as `<filterbinding>`. */
  getXMLDesc: call('NWFILTER_BINDING_GET_XML_DESC', 398, '4.5.0', { flags: none }, { xml: string }),
  /** Takes the rules off the device. A domain's card is then open to all until it is plugged in again. */
  delete: call('NWFILTER_BINDING_DELETE', 400, '4.5.0'),
}

/** A reference to a binding, by the device of its port. When it is gone every method fails with `noNwfilterBinding`. */
export class NwFilterBinding
  extends liveObject(nwFilterBindingMethods, nwFilterBinding)
  implements NwFilterBindingIdentity
{
  readonly portDev: string
  readonly filterName: string

  constructor(connect: Invoker, identity: NwFilterBindingIdentity) {
    super(connect)
    this.portDev = identity.portDev
    this.filterName = identity.filterName
  }
}
