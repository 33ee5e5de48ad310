/** What a connection lists, finds, defines and creates: domains, networks, pools, volumes, secrets. */
import { bytes, flags, i32, list, maybe, preset, string, struct, uuid, xml } from './codecs.ts'
import { migrateFlags, migrateParameters } from './domain-migration.ts'
import { saveParameters } from './domain-save.ts'
import { domainStatistics } from './domain-statistics.ts'
import { call, streamCall } from './methods.ts'
import { domain, network, pool, secret, secretUsage, vol } from './references.ts'
import { poolCreateFlags } from './storage.ts'
import { counted, domainFlags, need } from './vocabulary.ts'

const statsKinds = flags({
  state: 1,
  cpu: 2,
  balloon: 4,
  vcpu: 8,
  interface: 16,
  block: 32,
  perf: 64,
  iothread: 128,
  memory: 256,
  dirtyRate: 512,
  vm: 1024,
})

const domainLookups = {
  listAllDomains: call(
    'CONNECT_LIST_ALL_DOMAINS',
    273,
    '0.9.13',
    {
      need,
      flags: flags({
        active: 1,
        inactive: 2,
        persistent: 4,
        transient: 8,
        running: 16,
        paused: 32,
        shutoff: 64,
        other: 128,
        managedSave: 256,
        noManagedSave: 512,
        autostart: 1024,
        noAutostart: 2048,
        hasSnapshot: 4096,
        noSnapshot: 8192,
      }),
    },
    { domains: list(domain), ret: counted },
  ),
  domainLookupById: call('DOMAIN_LOOKUP_BY_ID', 22, '0.0.3', { id: i32 }, { domain }),
  domainLookupByName: call('DOMAIN_LOOKUP_BY_NAME', 23, '0.0.3', { name: string }, { domain }),
  domainLookupByUuid: call('DOMAIN_LOOKUP_BY_UUID', 24, '0.0.5', { uuid }, { domain }),
  domainDefineXML: call('DOMAIN_DEFINE_XML_FLAGS', 350, '1.2.12', { xml, flags: flags({ validate: 1 }) }, { domain }),
  domainDefineXMLPlain: call('DOMAIN_DEFINE_XML', 11, '0.1.1', { xml }, { domain }),
  /** Starts a domain that is gone when it ends. */
  domainCreateXML: call('DOMAIN_CREATE_XML', 10, '0.5.0', { xml, flags: domainFlags.create }, { domain }),
  /** `from` is a path on the daemon's host. */
  domainRestore: call(
    'DOMAIN_RESTORE_FLAGS',
    233,
    '0.9.4',
    { from: string, xml: maybe(xml), flags: domainFlags.save },
    undefined,
    { isLong: true },
  ),
  domainRestoreParams: call(
    'DOMAIN_RESTORE_PARAMS',
    441,
    '8.4.0',
    { params: saveParameters, flags: domainFlags.save },
    undefined,
    { isLong: true },
  ),
  /** No domains given means all that the flags choose, no kinds all kinds. */
  getAllDomainStats: call(
    'CONNECT_GET_ALL_DOMAIN_STATS',
    344,
    '1.2.8',
    {
      domains: preset(list(domain), []),
      stats: statsKinds,
      flags: flags({
        active: 1,
        inactive: 2,
        persistent: 4,
        transient: 8,
        running: 16,
        paused: 32,
        shutoff: 64,
        other: 128,
        noWait: 0x2000_0000,
        backing: 0x4000_0000,
        enforce: 0x8000_0000,
      }),
    },
    { stats: list(struct({ domain, params: domainStatistics })) },
  ),
  domainMigratePrepare: call(
    'DOMAIN_MIGRATE_PREPARE3_PARAMS',
    303,
    '1.1.0',
    { params: migrateParameters, cookieIn: bytes, flags: migrateFlags },
    { cookieOut: bytes, uriOut: maybe(string) },
    { isLong: true },
  ),
  /**
   * Second step of a tunnelled migration, on the destination: the stream takes what the source's hypervisor sends. The
   * source's daemon does this by itself with `peer2peer` and `tunnelled`; a client has no part in it.
   * @throws {LibvirtError} `operationFailed`, `internalError`
   */
  domainMigratePrepareTunnel: streamCall(
    'DOMAIN_MIGRATE_PREPARE_TUNNEL3_PARAMS',
    304,
    '1.1.0',
    'write',
    { params: migrateParameters, cookieIn: bytes, flags: migrateFlags },
    { cookieOut: bytes },
  ),
  domainMigrateFinish: call(
    'DOMAIN_MIGRATE_FINISH3_PARAMS',
    306,
    '1.1.0',
    { params: migrateParameters, cookieIn: bytes, flags: migrateFlags, cancelled: i32 },
    { domain, cookieOut: bytes },
    { isLong: true },
  ),
}

const networkLookups = {
  listAllNetworks: call(
    'CONNECT_LIST_ALL_NETWORKS',
    283,
    '0.10.2',
    { need, flags: flags({ inactive: 1, active: 2, persistent: 4, transient: 8, autostart: 16, noAutostart: 32 }) },
    { networks: list(network), ret: counted },
  ),
  networkLookupByName: call('NETWORK_LOOKUP_BY_NAME', 46, '0.2.0', { name: string }, { network }),
  networkLookupByUuid: call('NETWORK_LOOKUP_BY_UUID', 47, '0.2.0', { uuid }, { network }),
  networkDefineXML: call('NETWORK_DEFINE_XML', 41, '0.2.0', { xml }, { network }),
  /** libvirt 7.7 and later. */
  networkDefineXMLFlags: call(
    'NETWORK_DEFINE_XML_FLAGS',
    432,
    '7.7.0',
    { xml, flags: flags({ validate: 1 }) },
    { network },
  ),
  /** Starts a network that is gone when it ends. */
  networkCreateXML: call('NETWORK_CREATE_XML', 40, '0.2.0', { xml }, { network }),
}

const storageLookups = {
  listAllStoragePools: call(
    'CONNECT_LIST_ALL_STORAGE_POOLS',
    281,
    '0.10.2',
    {
      need,
      flags: flags({ inactive: 1, active: 2, persistent: 4, transient: 8, autostart: 16, noAutostart: 32, dir: 64 }),
    },
    { pools: list(pool), ret: counted },
  ),
  storagePoolLookupByName: call('STORAGE_POOL_LOOKUP_BY_NAME', 84, '0.4.1', { name: string }, { pool }),
  storagePoolLookupByUuid: call('STORAGE_POOL_LOOKUP_BY_UUID', 85, '0.4.1', { uuid }, { pool }),
  storagePoolLookupByTargetPath: call('STORAGE_POOL_LOOKUP_BY_TARGET_PATH', 391, '4.1.0', { path: string }, { pool }),
  storagePoolDefineXML: call('STORAGE_POOL_DEFINE_XML', 77, '0.4.1', { xml, flags: flags({ validate: 1 }) }, { pool }),
  storagePoolCreateXML: call('STORAGE_POOL_CREATE_XML', 76, '0.4.1', { xml, flags: poolCreateFlags }, { pool }),
  storageVolLookupByKey: call('STORAGE_VOL_LOOKUP_BY_KEY', 96, '0.4.1', { key: string }, { vol }),
  storageVolLookupByPath: call('STORAGE_VOL_LOOKUP_BY_PATH', 97, '0.4.1', { path: string }, { vol }),
}

const secretLookups = {
  listAllSecrets: call(
    'CONNECT_LIST_ALL_SECRETS',
    287,
    '0.10.2',
    { need, flags: flags({ ephemeral: 1, noEphemeral: 2, private: 4, noPrivate: 8 }) },
    { secrets: list(secret), ret: counted },
  ),
  secretDefineXML: call('SECRET_DEFINE_XML', 142, '0.7.1', { xml, flags: flags({ validate: 1 }) }, { secret }),
  secretLookupByUuid: call('SECRET_LOOKUP_BY_UUID', 141, '0.7.1', { uuid }, { secret }),
  secretLookupByUsage: call(
    'SECRET_LOOKUP_BY_USAGE',
    147,
    '0.7.1',
    { usageType: secretUsage, usageId: string },
    { secret },
  ),
}

export const findMethods = { ...domainLookups, ...networkLookups, ...storageLookups, ...secretLookups }
