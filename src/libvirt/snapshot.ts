/** A snapshot of a domain. */
import { flags, list, string } from './codecs.ts'
import { snapshotListFlags } from './domain-snapshot.ts'
import { call, type Invoker, liveObject } from './methods.ts'
import { type DomainIdentity, type OfDomainIdentity, snapshot } from './references.ts'
import { counted, need, none } from './vocabulary.ts'

export const domainSnapshotMethods = {
  getXMLDesc: call('DOMAIN_SNAPSHOT_GET_XML_DESC', 186, '0.8.0', { flags: flags({ secure: 1 }) }, { xml: string }),
  getParent: call('DOMAIN_SNAPSHOT_GET_PARENT', 244, '0.9.7', { flags: none }, { snapshot }),
  listAllChildren: call(
    'DOMAIN_SNAPSHOT_LIST_ALL_CHILDREN',
    275,
    '0.9.13',
    { need, flags: snapshotListFlags },
    { snapshots: list(snapshot), ret: counted },
  ),
  revert: call('DOMAIN_REVERT_TO_SNAPSHOT', 192, '0.8.0', {
    flags: flags({ running: 1, paused: 2, force: 4, resetNvram: 8 }),
  }),
  delete: call('DOMAIN_SNAPSHOT_DELETE', 193, '0.8.0', {
    flags: flags({ children: 1, metadataOnly: 2, childrenOnly: 4 }),
  }),
}

export class Snapshot extends liveObject(domainSnapshotMethods, snapshot) implements OfDomainIdentity {
  readonly name: string
  readonly domain: DomainIdentity

  constructor(connect: Invoker, identity: OfDomainIdentity) {
    super(connect)
    this.name = identity.name
    this.domain = identity.domain
  }
}
