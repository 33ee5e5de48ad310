/** A secret the daemon keeps, as a disk's passphrase. */
import { bytes, string } from './codecs.ts'
import { call, type Invoker, liveObject } from './methods.ts'
import { type SecretIdentity, type SecretUsage, secret } from './references.ts'
import { none } from './vocabulary.ts'

export const secretMethods = {
  /** Its description, without the value. */
  getXMLDesc: call('SECRET_GET_XML_DESC', 143, '0.7.1', { flags: none }, { xml: string }),
  /**
   * Sets the value, at most 64 KiB (65536) of any bytes. Unless it is ephemeral the daemon writes it to a file.
   * @throws {LibvirtError} `rpc` when it is longer
   */
  setValue: call('SECRET_SET_VALUE', 144, '0.7.1', { value: bytes, flags: none }),
  /**
   * The value.
   * @throws {LibvirtError} `noSecret` when it was never set, `invalidSecret` when it is private, `operationDenied` over
   * a connection that was opened with `readonly`
   */
  getValue: call('SECRET_GET_VALUE', 145, '0.7.1', { flags: none }, { value: bytes }),
  /** Forgets it, value and all. What uses it now goes on; it will not start again. */
  undefine: call('SECRET_UNDEFINE', 146, '0.7.1'),
}

/** A reference to a secret. When it is gone every method fails with `noSecret`. */
export class Secret extends liveObject(secretMethods, secret) implements SecretIdentity {
  readonly uuid: string
  readonly usageType: SecretUsage
  readonly usageId: string

  constructor(connect: Invoker, identity: SecretIdentity) {
    super(connect)
    this.uuid = identity.uuid
    this.usageType = identity.usageType
    this.usageId = identity.usageId
  }
}
