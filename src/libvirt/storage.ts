/** Storage pools and their volumes. Sizes are bytes. */
import { bool, choice, flags, list, string, u64, xml } from './codecs.ts'
import { call, type Invoker, liveObject, streamCall } from './methods.ts'
import { type NamedIdentity, pool, type VolIdentity, vol } from './references.ts'
import { counted, need, none } from './vocabulary.ts'

export const poolCreateFlags = flags({ withBuild: 1, withBuildOverwrite: 2, withBuildNoOverwrite: 4 })
const volCreateFlags = flags({ preallocMetadata: 1, reflink: 2, validate: 4 })
const volType = choice('file', 'block', 'dir', 'network', 'netdir', 'ploop')

export const storagePoolMethods = {
  /** Starts a defined pool. */
  create: call('STORAGE_POOL_CREATE', 78, '0.4.1', { flags: poolCreateFlags }),
  build: call('STORAGE_POOL_BUILD', 79, '0.4.1', {
    flags: flags({ repair: 1, resize: 2, noOverwrite: 4, overwrite: 8 }),
  }),
  destroy: call('STORAGE_POOL_DESTROY', 80, '0.4.1'),
  /** Deletes what the pool holds, for good. */
  delete: call('STORAGE_POOL_DELETE', 81, '0.4.1', { flags: flags({ zeroed: 1 }) }),
  undefine: call('STORAGE_POOL_UNDEFINE', 82, '0.4.1'),
  refresh: call('STORAGE_POOL_REFRESH', 83, '0.4.1', { flags: none }),
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
  getXMLDesc: call('STORAGE_POOL_GET_XML_DESC', 88, '0.4.1', { flags: flags({ inactive: 1 }) }, { xml: string }),
  getAutostart: call('STORAGE_POOL_GET_AUTOSTART', 89, '0.4.1', {}, { autostart: bool }),
  setAutostart: call('STORAGE_POOL_SET_AUTOSTART', 90, '0.4.1', { autostart: bool }),
  isActive: call('STORAGE_POOL_IS_ACTIVE', 154, '0.7.3', {}, { active: bool }),
  listAllVolumes: call(
    'STORAGE_POOL_LIST_ALL_VOLUMES',
    282,
    '0.10.2',
    { need, flags: none },
    { vols: list(vol), ret: counted },
  ),
  storageVolLookupByName: call('STORAGE_VOL_LOOKUP_BY_NAME', 95, '0.4.1', { name: string }, { vol }),
  storageVolCreateXML: call('STORAGE_VOL_CREATE_XML', 93, '0.4.1', { xml, flags: volCreateFlags }, { vol }),
  storageVolCreateXMLFrom: call(
    'STORAGE_VOL_CREATE_XML_FROM',
    125,
    '0.6.4',
    { xml, cloneVol: vol, flags: volCreateFlags },
    { vol },
  ),
}

export const storageVolMethods = {
  delete: call('STORAGE_VOL_DELETE', 94, '0.4.1', { flags: flags({ zeroed: 1, withSnapshots: 2 }) }),
  wipe: call('STORAGE_VOL_WIPE_PATTERN', 259, '0.9.10', {
    algorithm: choice('zero', 'nnsa', 'dod', 'bsi', 'gutmann', 'schneier', 'pfitzner7', 'pfitzner33', 'random', 'trim'),
    flags: none,
  }),
  resize: call('STORAGE_VOL_RESIZE', 260, '0.9.10', {
    capacity: u64,
    flags: flags({ allocate: 1, delta: 2, shrink: 4 }),
  }),
  getInfo: call('STORAGE_VOL_GET_INFO', 98, '0.4.1', {}, { type: volType, capacity: u64, allocation: u64 }),
  getInfoFlags: call(
    'STORAGE_VOL_GET_INFO_FLAGS',
    378,
    '3.0.0',
    { flags: flags({ physical: 1 }) },
    { type: volType, capacity: u64, allocation: u64 },
  ),
  getXMLDesc: call('STORAGE_VOL_GET_XML_DESC', 99, '0.4.1', { flags: none }, { xml: string }),
  getPath: call('STORAGE_VOL_GET_PATH', 100, '0.4.1', {}, { path: string }),
  /** The daemon does not hold an upload to the volume's capacity: check `length` first. 0 is to the end. */
  upload: streamCall('STORAGE_VOL_UPLOAD', 208, '0.9.0', 'write', {
    offset: u64,
    length: u64,
    flags: flags({ sparse: 1 }),
  }),
  download: streamCall('STORAGE_VOL_DOWNLOAD', 209, '0.9.0', 'read', {
    offset: u64,
    length: u64,
    flags: flags({ sparse: 1 }),
  }),
  storagePoolLookupByVolume: call('STORAGE_POOL_LOOKUP_BY_VOLUME', 86, '0.4.1', {}, { pool }),
}

/** A reference to a pool; `name` is what it was when it was read. */
export class StoragePool extends liveObject(storagePoolMethods, pool) implements NamedIdentity {
  readonly name: string
  readonly uuid: string

  constructor(connect: Invoker, identity: NamedIdentity) {
    super(connect)
    this.name = identity.name
    this.uuid = identity.uuid
  }
}

/** A reference to a volume, by the names of its pool and itself. */
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
