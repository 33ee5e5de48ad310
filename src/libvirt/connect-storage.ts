/** How a connection lists, finds, defines and starts storage pools, and finds volumes whatever their pool. */
import { flags, list, maybe, string, uuid, xml } from './codecs.ts'
import { call } from './methods.ts'
import { pool, vol } from './references.ts'
import { poolCreateFlags } from './storage.ts'
import { counted, need, none, validated } from './vocabulary.ts'

export const storageLookups = {
  /**
   * All pools, or those that the flags choose. Flags come in groups (`active`/`inactive`, …, and all types of pools):
   * of each group that is named one must fit.
   */
  listAllStoragePools: call(
    'CONNECT_LIST_ALL_STORAGE_POOLS',
    281,
    '0.10.2',
    {
      need,
      flags: flags({
        inactive: 1,
        active: 2,
        persistent: 4,
        transient: 8,
        autostart: 16,
        noAutostart: 32,
        dir: 64,
        fs: 128,
        netfs: 256,
        logical: 512,
        disk: 1024,
        iscsi: 2048,
        scsi: 4096,
        mpath: 8192,
        rbd: 16_384,
        /** Gone since libvirt 8.8. */
        sheepdog: 32_768,
        gluster: 65_536,
        zfs: 131_072,
        vstorage: 262_144,
        iscsiDirect: 524_288,
      }),
    },
    { pools: list(pool), ret: counted },
  ),
  /**
   * The pool with this name, active or not.
   * @throws {LibvirtError} `noStoragePool` when there is none
   */
  storagePoolLookupByName: call('STORAGE_POOL_LOOKUP_BY_NAME', 84, '0.4.1', { name: string }, { pool }),
  /**
   * The pool with this UUID, active or not.
   * @throws {LibvirtError} `noStoragePool` when there is none
   */
  storagePoolLookupByUuid: call('STORAGE_POOL_LOOKUP_BY_UUID', 85, '0.4.1', { uuid }, { pool }),
  /**
   * The active pool whose folder or device this path of the daemon's host is.
   * @throws {LibvirtError} `noStoragePool` when there is none
   */
  storagePoolLookupByTargetPath: call('STORAGE_POOL_LOOKUP_BY_TARGET_PATH', 391, '4.1.0', { path: string }, { pool }),
  /**
   * Makes a definition, or replaces that of the pool with the same UUID. It is neither built nor started.
   * @throws {LibvirtError} `operationFailed` when the name belongs to a pool of another UUID or its source is
   * another's, `xmlError`, `xmlDetail` when the XML is wrong, `xmlInvalidSchema` with `validate`, `internalError` for a
   * type that the daemon does not have
   */
  storagePoolDefineXML: call('STORAGE_POOL_DEFINE_XML', 77, '0.4.1', { xml, flags: validated }, { pool }),
  /**
   * Starts a pool that is gone when it is stopped, unless one with its UUID is defined. What it holds stays.
   * @throws {LibvirtError} as of `storagePoolDefineXML`; `systemError` when its folder or device cannot be had
   */
  storagePoolCreateXML: call(
    'STORAGE_POOL_CREATE_XML',
    76,
    '0.4.1',
    { xml, flags: poolCreateFlags },
    { pool },
    { isLong: true },
  ),
  /**
   * Looks for what a pool could be made of: `type` is the pool's type, `srcSpec` a pool's `<source>` that says where to
   * look (the host of an NFS or iSCSI server; not needed for `logical`). Comes back as `<sources>`.
   * @throws {LibvirtError} `noSupport` when the type cannot be looked for, `operationFailed` when a server has nothing,
   * `internalError` for an unknown type or when the host lacks the program that looks
   */
  findStoragePoolSources: call(
    'CONNECT_FIND_STORAGE_POOL_SOURCES',
    75,
    '0.4.5',
    { type: string, srcSpec: maybe(xml), flags: none },
    { sources: string },
    { isLong: true },
  ),
  /**
   * The volume with this key, in any active pool. A file's key is its path.
   * @throws {LibvirtError} `noStorageVol` when there is none
   */
  storageVolLookupByKey: call('STORAGE_VOL_LOOKUP_BY_KEY', 96, '0.4.1', { key: string }, { vol }),
  /**
   * The volume with this path on the daemon's host, in any active pool. A pool learns of files that others made when it
   * is refreshed.
   * @throws {LibvirtError} `noStorageVol` when there is none
   */
  storageVolLookupByPath: call('STORAGE_VOL_LOOKUP_BY_PATH', 97, '0.4.1', { path: string }, { vol }),
}
