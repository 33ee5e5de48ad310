/** A checkpoint of a domain: the point from which an incremental backup counts. */
import { flags, string } from './codecs.ts'
import { call, type Invoker, liveObject } from './methods.ts'
import { checkpoint, type DomainIdentity, type OfDomainIdentity } from './references.ts'

export const domainCheckpointMethods = {
  getXMLDesc: call(
    'DOMAIN_CHECKPOINT_GET_XML_DESC',
    412,
    '5.6.0',
    { flags: flags({ secure: 1, noDomain: 2, size: 4 }) },
    { xml: string },
  ),
  delete: call('DOMAIN_CHECKPOINT_DELETE', 417, '5.6.0', {
    flags: flags({ children: 1, metadataOnly: 2, childrenOnly: 4 }),
  }),
}

export class Checkpoint extends liveObject(domainCheckpointMethods, checkpoint) implements OfDomainIdentity {
  readonly name: string
  readonly domain: DomainIdentity

  constructor(connect: Invoker, identity: OfDomainIdentity) {
    super(connect)
    this.name = identity.name
    this.domain = identity.domain
  }
}
