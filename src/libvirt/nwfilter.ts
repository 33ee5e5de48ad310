/** A network filter: rules for what a guest's card may send and receive. */
import { string } from './codecs.ts'
import { call, type Invoker, liveObject } from './methods.ts'
import { type NamedIdentity, nwFilter } from './references.ts'
import { none } from './vocabulary.ts'

export const nwFilterMethods = {
  /** Its rules, as `<filter>`. */
  getXMLDesc: call('NWFILTER_GET_XML_DESC', 177, '0.8.0', { flags: none }, { xml: string }),
  /**
   * Removes it.
   * @throws {LibvirtError} `operationInvalid` when a card or another filter uses it
   */
  undefine: call('NWFILTER_UNDEFINE', 181, '0.8.0'),
}

/**
 * A reference to a filter; `name` is what it was when it was read. When it is gone every method fails with
 * `noNwfilter`.
 */
export class NwFilter extends liveObject(nwFilterMethods, nwFilter) implements NamedIdentity {
  readonly name: string
  readonly uuid: string

  constructor(connect: Invoker, identity: NamedIdentity) {
    super(connect)
    this.name = identity.name
    this.uuid = identity.uuid
  }
}
