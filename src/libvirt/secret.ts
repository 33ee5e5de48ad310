/** A secret the daemon keeps, as a disk's passphrase. */
import { bytes } from './codecs.ts'
import { call, type Invoker, liveObject } from './methods.ts'
import { type SecretIdentity, type SecretUsage, secret } from './references.ts'
import { none } from './vocabulary.ts'

export const secretMethods = {
  setValue: call('SECRET_SET_VALUE', 144, '0.7.1', { value: bytes, flags: none }),
  getValue: call('SECRET_GET_VALUE', 145, '0.7.1', { flags: none }, { value: bytes }),
  undefine: call('SECRET_UNDEFINE', 146, '0.7.1'),
}

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
