/** A checkpoint of a domain: the point from which an incremental backup counts. */
import { flags, list, string } from './codecs.ts'
import { checkpointChildrenFlags } from './domain-snapshot.ts'
import { call, type Invoker, liveObject } from './methods.ts'
import { checkpoint, type DomainIdentity, type OfDomainIdentity } from './references.ts'
import { counted, need, none } from './vocabulary.ts'

export const domainCheckpointMethods = {
  /**
   * Its XML, with the domain's as it was.
   * @throws {LibvirtError} `operationDenied` for `secure` on a read-only connection, `operationInvalid` for `size` when
   * the domain does not run
   */
  getXMLDesc: call(
    'DOMAIN_CHECKPOINT_GET_XML_DESC',
    412,
    '5.6.0',
    {
      flags: flags({
        /** With passwords; refused on a read-only connection. */
        secure: 1,
        /** Without the domain's XML. */
        noDomain: 2,
        /** With an estimate of how many bytes of each disk have changed since. */
        size: 4,
      }),
    },
    { xml: string },
  ),
  /**
   * The checkpoint it was made after.
   * @throws {LibvirtError} `noDomainCheckpoint` when it has none
   */
  getParent: call('DOMAIN_CHECKPOINT_GET_PARENT', 416, '5.6.0', { flags: none }, { parent: checkpoint }),
  /** The checkpoints made right after it, or with `descendants` all that follow from it. */
  listAllChildren: call(
    'DOMAIN_CHECKPOINT_LIST_ALL_CHILDREN',
    414,
    '5.6.0',
    { need, flags: checkpointChildrenFlags },
    { checkpoints: list(checkpoint), ret: counted },
  ),
  /**
   * Deletes it: what it noted counts for its parent from now on.
   * @throws {LibvirtError} `operationUnsupported` when the domain does not run (but with `metadataOnly`),
   * `operationInvalid`
   */
  delete: call(
    'DOMAIN_CHECKPOINT_DELETE',
    417,
    '5.6.0',
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

/** All methods throw `noDomain` or `noDomainCheckpoint` when it is gone. */
export class Checkpoint extends liveObject(domainCheckpointMethods, checkpoint) implements OfDomainIdentity {
  readonly name: string
  readonly domain: DomainIdentity

  constructor(connect: Invoker, identity: OfDomainIdentity) {
    super(connect)
    this.name = identity.name
    this.domain = identity.domain
  }
}
