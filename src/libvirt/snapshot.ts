/** A snapshot of a domain. */
import { bool, flags, list, string } from './codecs.ts'
import { snapshotChildrenFlags } from './domain-snapshot.ts'
import { call, type Invoker, liveObject } from './methods.ts'
import { type DomainIdentity, type OfDomainIdentity, snapshot } from './references.ts'
import { counted, need, none, secureXml } from './vocabulary.ts'

export const domainSnapshotMethods = {
  /**
   * Its XML, with the domain's as it was.
   * @throws {LibvirtError} `operationDenied` for `secure` on a read-only connection
   */
  getXMLDesc: call('DOMAIN_SNAPSHOT_GET_XML_DESC', 186, '0.8.0', { flags: secureXml }, { xml: string }),
  /**
   * The snapshot it was taken after.
   * @throws {LibvirtError} `noDomainSnapshot` when it has none
   */
  getParent: call('DOMAIN_SNAPSHOT_GET_PARENT', 244, '0.9.7', { flags: none }, { snapshot }),
  /** The snapshots taken right after it, or with `descendants` all that follow from it. */
  listAllChildren: call(
    'DOMAIN_SNAPSHOT_LIST_ALL_CHILDREN',
    275,
    '0.9.13',
    { need, flags: snapshotChildrenFlags },
    { snapshots: list(snapshot), ret: counted },
  ),
  /** Whether it is the domain's current one: made or reverted to last. */
  isCurrent: call('DOMAIN_SNAPSHOT_IS_CURRENT', 271, '0.9.13', { flags: none }, { current: bool }),
  /** Whether libvirt remembers it by itself, which keeps the domain from being undefined. */
  hasMetadata: call('DOMAIN_SNAPSHOT_HAS_METADATA', 272, '0.9.13', { flags: none }, { metadata: bool }),
  /**
   * Puts the domain back to it, in the state it was in then. What was not saved since is lost, changes of its
   * configuration included. A transient domain needs `running` or `paused` for one taken while it was off. External
   * ones need libvirt 9.9.
   * @throws {LibvirtError} `snapshotRevertRisky` when `force` is needed, `operationInvalid`, `operationUnsupported`,
   * `configUnsupported`, `operationFailed`
   */
  revert: call(
    'DOMAIN_REVERT_TO_SNAPSHOT',
    192,
    '0.8.0',
    {
      flags: flags({
        /** It runs afterwards, whatever it did then. */
        running: 1,
        /** It is paused afterwards; not with `running`. */
        paused: 2,
        /** Though its XML may not fit. */
        force: 4,
        /** Makes its NVRAM anew from the template (libvirt 8.1). */
        resetNvram: 8,
      }),
    },
    undefined,
    { isLong: true },
  ),
  /**
   * Deletes it; what it holds goes into its children. External ones need libvirt 9.0 and no flag for children.
   * @throws {LibvirtError} `operationUnsupported`, `operationInvalid` while a block job runs, `operationFailed`
   */
  delete: call(
    'DOMAIN_SNAPSHOT_DELETE',
    193,
    '0.8.0',
    {
      flags: flags({
        /** All that follow from it too. */
        children: 1,
        /** Forgets it; the disks keep it. */
        metadataOnly: 2,
        /** All that follow from it, but not itself. */
        childrenOnly: 4,
      }),
    },
    undefined,
    { isLong: true },
  ),
}

/** All methods throw `noDomain` or `noDomainSnapshot` when it is gone. */
export class Snapshot extends liveObject(domainSnapshotMethods, snapshot) implements OfDomainIdentity {
  readonly name: string
  readonly domain: DomainIdentity

  constructor(connect: Invoker, identity: OfDomainIdentity) {
    super(connect)
    this.name = identity.name
    this.domain = identity.domain
  }
}
