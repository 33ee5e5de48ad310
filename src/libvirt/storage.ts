/** Storage pools and their volumes. Sizes are bytes. */
import { bool, choice, flags, list, string, u64, xml } from './codecs.ts'
import { call, type Invoker, liveObject, streamCall } from './methods.ts'
import { type NamedIdentity, pool, type VolIdentity, vol } from './references.ts'
import { counted, need, none } from './vocabulary.ts'

const long = { isLong: true } as const

export const poolCreateFlags = flags({
  /** Build it first: make the folder, the file system, …. */
  withBuild: 1,
  /** Build it first, over what is there. */
  withBuildOverwrite: 2,
  /** Build it first, unless something is there. */
  withBuildNoOverwrite: 4,
})
const volCreateFlags = flags({
  /** Make the tables of a qcow2 image in full: it is a little larger and faster at first. */
  preallocMetadata: 1,
  /** Share the blocks with the source, where the file system can; of a copy only. */
  reflink: 2,
  /** Refuse XML that libvirt's schema does not allow, with `xmlInvalidSchema`. libvirt 8.10 and later. */
  validate: 4,
})
const sparse = flags({
  /** Zeros travel as holes and stay holes; the bytes are the true ones all the same. */
  sparse: 1,
})
/** `netdir` is a directory of network volumes, `ploop` an image of OpenVZ. */
const volType = choice('file', 'block', 'dir', 'network', 'netdir', 'ploop')
const volInfo = { type: volType, capacity: u64, allocation: u64 }

export const storagePoolMethods = {
  /**
   * Starts a defined pool: mounts it, logs in, … and looks for its volumes.
   * @throws {LibvirtError} `operationInvalid` when it is active, `systemError`, `internalError` when its source or
   * folder cannot be had
   */
  create: call('STORAGE_POOL_CREATE', 78, '0.4.1', { flags: poolCreateFlags }, {}, long),
  /**
   * Makes what a pool that is not active needs: its folder, partition table, volume group, or with a flag its file
   * system.
   * @throws {LibvirtError} `operationInvalid` when it is active, `operationFailed` or `storagePoolBuilt` when there is
   * something and nothing may be overwritten, `systemError` when the daemon may not. A type that needs nothing succeeds.
   */
  build: call(
    'STORAGE_POOL_BUILD',
    79,
    '0.4.1',
    {
      flags: flags({
        /** No pool of 11.3 takes it. */
        repair: 1,
        /** No pool of 11.3 takes it. */
        resize: 2,
        /** Fail when the device holds a file system or partition table; of `fs`, `disk` and `logical` pools. */
        noOverwrite: 4,
        /** Make a new one whatever the device holds. */
        overwrite: 8,
      }),
    },
    {},
    long,
  ),
  /**
   * Stops it; a pool without a definition is gone then. What it holds stays.
   * @throws {LibvirtError} `operationInvalid` when it is not active, `internalError` when a volume is being made or
   * copied
   */
  destroy: call('STORAGE_POOL_DESTROY', 80, '0.4.1'),
  /**
   * Deletes what a pool that is not active is made of (an empty folder, a volume group), for good. Its definition
   * stays.
   * @throws {LibvirtError} `operationInvalid` when it is active, `systemError` when the folder is not empty,
   * `noSupport` when its type cannot
   */
  delete: call(
    'STORAGE_POOL_DELETE',
    81,
    '0.4.1',
    {
      flags: flags({
        /** Overwrite all with zeros; no pool of 11.3 takes it. */
        zeroed: 1,
      }),
    },
    {},
    long,
  ),
  /**
   * Removes the definition of a pool that is not active. What it holds stays.
   * @throws {LibvirtError} `operationInvalid` when it is active
   */
  undefine: call('STORAGE_POOL_UNDEFINE', 82, '0.4.1'),
  /**
   * Looks again for the volumes of an active pool, and how full it is: the daemon does not watch what others do there.
   * @throws {LibvirtError} `operationInvalid` when it is not active, `internalError` when a volume is being made or
   * copied; a pool that cannot be read is stopped
   */
  refresh: call('STORAGE_POOL_REFRESH', 83, '0.4.1', { flags: none }, {}, long),
  /** Whether it runs, and its sizes in bytes, as of its last refresh; all 0 when it does not run. */
  getInfo: call(
    'STORAGE_POOL_GET_INFO',
    87,
    '0.4.1',
    {},
    {
      state: choice('inactive', 'building', 'running', 'degraded', 'inaccessible'),
      capacity: u64,
      allocation: u64,
      available: u64,
    },
  ),
  /** Its XML. */
  getXMLDesc: call(
    'STORAGE_POOL_GET_XML_DESC',
    88,
    '0.4.1',
    {
      flags: flags({
        /** The definition, as it will be started the next time. */
        inactive: 1,
      }),
    },
    { xml: string },
  ),
  /** Whether it starts with the daemon. */
  getAutostart: call('STORAGE_POOL_GET_AUTOSTART', 89, '0.4.1', {}, { autostart: bool }),
  /**
   * Sets whether it starts with the daemon (of the system: with the host).
   * @throws {LibvirtError} `internalError` when it has no definition
   */
  setAutostart: call('STORAGE_POOL_SET_AUTOSTART', 90, '0.4.1', { autostart: bool }),
  /** Whether it is started. */
  isActive: call('STORAGE_POOL_IS_ACTIVE', 154, '0.7.3', {}, { active: bool }),
  /** Whether it has a definition, and so stays when it is stopped. */
  isPersistent: call('STORAGE_POOL_IS_PERSISTENT', 155, '0.7.3', {}, { persistent: bool }),
  /**
   * Its volumes, as of its last refresh.
   * @throws {LibvirtError} `operationInvalid` when it is not active
   */
  listAllVolumes: call(
    'STORAGE_POOL_LIST_ALL_VOLUMES',
    282,
    '0.10.2',
    { need, flags: none },
    { vols: list(vol), ret: counted },
  ),
  /**
   * Its volume with this name, as of its last refresh.
   * @throws {LibvirtError} `noStorageVol` when there is none, `operationInvalid` when the pool is not active
   */
  storageVolLookupByName: call('STORAGE_VOL_LOOKUP_BY_NAME', 95, '0.4.1', { name: string }, { vol }),
  /**
   * Makes a volume. With an `<allocation>` of its whole capacity every block of it is written or reserved, which takes
   * its time.
   * @throws {LibvirtError} `storageVolExist` when the name is taken, `operationInvalid` when the pool is not active,
   * `noSupport` when it cannot make volumes, `xmlError`, `systemError` when there is no room or right
   */
  storageVolCreateXML: call('STORAGE_VOL_CREATE_XML', 93, '0.4.1', { xml, flags: volCreateFlags }, { vol }, long),
  /**
   * Makes a volume with the content of another, of this or another active pool; the format may differ. The capacity in
   * the XML is raised to that of the source.
   * @throws {LibvirtError} as of `storageVolCreateXML`; `operationInvalid` also when the source is still being made
   */
  storageVolCreateXMLFrom: call(
    'STORAGE_VOL_CREATE_XML_FROM',
    125,
    '0.6.4',
    { xml, cloneVol: vol, flags: volCreateFlags },
    { vol },
    long,
  ),
}

export const storageVolMethods = {
  /**
   * Deletes it with all it holds.
   * @throws {LibvirtError} `operationInvalid` when it is in use by a copy, `noSupport` when its pool cannot
   */
  delete: call(
    'STORAGE_VOL_DELETE',
    94,
    '0.4.1',
    {
      flags: flags({
        /** Overwrite it with zeros before; of Ceph volumes. */
        zeroed: 1,
        /** Delete its snapshots with it; of Ceph volumes. */
        withSnapshots: 2,
      }),
    },
    {},
    long,
  ),
  /**
   * Overwrites what it holds; `zero` is one pass of zeros, `random` one of random bytes, `trim` tells the device to
   * forget, the others need the program `scrub` on the host. A file system or disk that never writes in place keeps the
   * old bytes all the same.
   * @throws {LibvirtError} `operationInvalid` when it is in use, `noSupport` or `argumentUnsupported` when its pool
   * cannot
   */
  wipe: call(
    'STORAGE_VOL_WIPE_PATTERN',
    259,
    '0.9.10',
    {
      algorithm: choice(
        'zero',
        'nnsa',
        'dod',
        'bsi',
        'gutmann',
        'schneier',
        'pfitzner7',
        'pfitzner33',
        'random',
        'trim',
      ),
      flags: none,
    },
    {},
    long,
  ),
  /**
   * Changes its capacity, in bytes; a pool may round it. A guest that has the volume as a disk is not told: that is
   * `domain.blockResize`.
   * @throws {LibvirtError} `invalidArg` when it would shrink without `shrink`, or below what is allocated,
   * `operationFailed` when the pool has no room, `operationInvalid` when it is in use, `noSupport` when its pool cannot
   */
  resize: call(
    'STORAGE_VOL_RESIZE',
    260,
    '0.9.10',
    {
      capacity: u64,
      flags: flags({
        /** Reserve all of it now. */
        allocate: 1,
        /** The capacity is what is added; with `shrink` what is taken away. */
        delta: 2,
        /** Let it become smaller; what is beyond is lost. */
        shrink: 4,
      }),
    },
    {},
    long,
  ),
  /** Its kind, the bytes it offers and the bytes it takes. */
  getInfo: call('STORAGE_VOL_GET_INFO', 98, '0.4.1', {}, volInfo),
  /** As `getInfo`, with a flag. */
  getInfoFlags: call(
    'STORAGE_VOL_GET_INFO_FLAGS',
    378,
    '3.0.0',
    {
      flags: flags({
        /** `allocation` is then the length of the file or device, holes and all. */
        physical: 1,
      }),
    },
    volInfo,
  ),
  /** Its XML: format, sizes, permissions, backing file. */
  getXMLDesc: call('STORAGE_VOL_GET_XML_DESC', 99, '0.4.1', { flags: none }, { xml: string }),
  /** Its path on the daemon's host, or what stands for one. */
  getPath: call('STORAGE_VOL_GET_PATH', 100, '0.4.1', {}, { path: string }),
  /**
   * Writes from `offset` on; `length` 0 is whatever comes. The bytes are those of the image file: of a qcow2 volume a
   * whole qcow2 image. The daemon does not hold an upload of a folder's file to the volume's capacity: check `length`
   * first. The pool is refreshed when the stream ends.
   * @throws {LibvirtError} `operationInvalid` when it is in use or still being made, `systemError` when it cannot be
   * opened
   */
  upload: streamCall('STORAGE_VOL_UPLOAD', 208, '0.9.0', 'write', { offset: u64, length: u64, flags: sparse }),
  /**
   * Reads `length` bytes from `offset` on; 0 is to the end. The bytes are those of the image file, whatever its format.
   * @throws {LibvirtError} `operationInvalid` when it is still being made, `systemError` when it cannot be opened
   */
  download: streamCall('STORAGE_VOL_DOWNLOAD', 209, '0.9.0', 'read', { offset: u64, length: u64, flags: sparse }),
  /** The pool it is in. */
  storagePoolLookupByVolume: call('STORAGE_POOL_LOOKUP_BY_VOLUME', 86, '0.4.1', {}, { pool }),
}

/**
 * A reference to a pool; `name` is what it was when it was read. When it is gone every method fails with
 * `noStoragePool`, and what changes it with `operationDenied` over a connection that was opened with `readonly`.
 */
export class StoragePool extends liveObject(storagePoolMethods, pool) implements NamedIdentity {
  readonly name: string
  readonly uuid: string

  constructor(connect: Invoker, identity: NamedIdentity) {
    super(connect)
    this.name = identity.name
    this.uuid = identity.uuid
  }
}

/**
 * A reference to a volume, by the names of its pool and itself. When it is gone every method fails with `noStorageVol`,
 * when its pool is, with `noStoragePool`, and when that is stopped, with `operationInvalid`.
 */
export class StorageVolume extends liveObject(storageVolMethods, vol) implements VolIdentity {
  readonly pool: string
  readonly name: string
  readonly key: string

  constructor(connect: Invoker, identity: VolIdentity) {
    super(connect)
    this.pool = identity.pool
    this.name = identity.name
    this.key = identity.key
  }
}
