/** A domain's snapshots and checkpoints: making, listing, finding. */
import { bool, flags, list, string, xml } from './codecs.ts'
import { call } from './methods.ts'
import { checkpoint, snapshot } from './references.ts'
import { counted, need, none } from './vocabulary.ts'

/** Of groups that exclude one another all or none choose all; flags of different groups narrow together. */
const snapshotKinds = {
  /** Those libvirt remembers, and so keeps a domain from being undefined. */
  metadata: 2,
  /** Those without children. */
  leaves: 4,
  noLeaves: 8,
  noMetadata: 16,
  /** Taken while the domain was off. */
  inactive: 32,
  /** With memory. */
  active: 64,
  /** Without memory, while it ran. */
  diskOnly: 128,
  /** Inside the disks' images. */
  internal: 256,
  /** In files of their own. */
  external: 512,
  /** Parents come before their children. */
  topological: 1024,
}
const checkpointKinds = {
  /** Parents come before their children. */
  topological: 2,
  /** Those without children. */
  leaves: 4,
  noLeaves: 8,
}
const rootFlag = {
  /** Those without parents. */
  roots: 1,
}
const descendantFlag = {
  /** Children of children too. */
  descendants: 1,
}

/** For the children of one, where the first bit widens and does not narrow. */
export const snapshotChildrenFlags = flags({ ...descendantFlag, ...snapshotKinds })
export const checkpointChildrenFlags = flags({ ...descendantFlag, ...checkpointKinds })

export const snapshotMethods = {
  /**
   * Makes a snapshot: of a running domain disks and memory, of a stopped one its disks. It becomes the current one.
   * @throws {LibvirtError} `operationInvalid`, `configUnsupported` or `operationUnsupported` for disks or flags that do
   * not go together, `operationFailed`, `agentUnresponsive` for `quiesce`, `xmlError`
   */
  snapshotCreateXML: call(
    'DOMAIN_SNAPSHOT_CREATE_XML',
    185,
    '0.8.0',
    {
      xml,
      flags: flags({
        /** Remembers one that exists (elsewhere, or forgotten) from its XML; takes none. */
        redefine: 1,
        /** With `redefine`: it is the current one. */
        current: 2,
        /** Does not remember it. */
        noMetadata: 4,
        /** The domain is off afterwards. */
        halt: 8,
        /** Disks only: of a running guest as if its power had failed. */
        diskOnly: 16,
        /** Files the XML names are there already. */
        reuseExternal: 32,
        /** The agent freezes the file systems meanwhile; with `diskOnly`. */
        quiesce: 64,
        /** All disks or none; without it a failure may leave some done (QEMU never does). */
        atomic: 128,
        /** The guest runs on while memory is saved to a file. */
        live: 256,
        /** Holds the XML to libvirt's schema. */
        validate: 512,
      }),
    },
    { snapshot },
    { isLong: true },
  ),
  /** Its snapshots: all, or those the flags choose. */
  listAllSnapshots: call(
    'DOMAIN_LIST_ALL_SNAPSHOTS',
    274,
    '0.9.13',
    { need, flags: flags({ ...rootFlag, ...snapshotKinds }) },
    { snapshots: list(snapshot), ret: counted },
  ),
  /**
   * The snapshot of a name.
   * @throws {LibvirtError} `noDomainSnapshot`
   */
  snapshotLookupByName: call(
    'DOMAIN_SNAPSHOT_LOOKUP_BY_NAME',
    189,
    '0.8.0',
    { name: string, flags: none },
    { snapshot },
  ),
  /** Whether there is a current snapshot, the one made or reverted to last. */
  hasCurrentSnapshot: call('DOMAIN_HAS_CURRENT_SNAPSHOT', 190, '0.8.0', { flags: none }, { result: bool }),
  /**
   * The current snapshot.
   * @throws {LibvirtError} `noDomainSnapshot` when there is none
   */
  snapshotCurrent: call('DOMAIN_SNAPSHOT_CURRENT', 191, '0.8.0', { flags: none }, { snapshot }),
  /**
   * Makes a checkpoint of a running domain: from now on its disks note what changes. Mostly `backupBegin` makes it, at
   * the moment of a backup. Disks must be qcow2 of version 3 (`compat` 1.1).
   * @throws {LibvirtError} `operationUnsupported` when it does not run, `configUnsupported` for a kind of disk,
   * `checkpointInconsistent` for `redefineValidate`, `agentUnresponsive` for `quiesce`, `xmlError`
   */
  checkpointCreateXML: call(
    'DOMAIN_CHECKPOINT_CREATE_XML',
    411,
    '5.6.0',
    {
      xml,
      flags: flags({
        /** Remembers one that exists from its XML; makes none. */
        redefine: 1,
        /** The agent freezes the file systems meanwhile. */
        quiesce: 2,
        /** With `redefine`: looks whether the disks have what belongs to it. */
        redefineValidate: 4,
      }),
    },
    { checkpoint },
    { isLong: true },
  ),
  /** Its checkpoints: all, or those the flags choose. */
  listAllCheckpoints: call(
    'DOMAIN_LIST_ALL_CHECKPOINTS',
    413,
    '5.6.0',
    { need, flags: flags({ ...rootFlag, ...checkpointKinds }) },
    { checkpoints: list(checkpoint), ret: counted },
  ),
  /**
   * The checkpoint of a name.
   * @throws {LibvirtError} `noDomainCheckpoint`
   */
  checkpointLookupByName: call(
    'DOMAIN_CHECKPOINT_LOOKUP_BY_NAME',
    415,
    '5.6.0',
    { name: string, flags: none },
    { checkpoint },
  ),
}
