/** What a connection lists, finds, defines and creates: domains, networks, pools, volumes, secrets. */
import { bytes, flags, i32, list, maybe, numbered, preset, string, struct, uuid, xml } from './codecs.ts'
import { migrateFlags } from './domain-migration.ts'
import { call } from './methods.ts'
import { parameters } from './parameters.ts'
import { domain, network, pool, secret, vol } from './references.ts'
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
  domainLookupById: call('DOMAIN_LOOKUP_BY_ID', 22, { id: i32 }, { domain }),
  domainLookupByName: call('DOMAIN_LOOKUP_BY_NAME', 23, { name: string }, { domain }),
  domainLookupByUuid: call('DOMAIN_LOOKUP_BY_UUID', 24, { uuid }, { domain }),
  domainDefineXML: call('DOMAIN_DEFINE_XML_FLAGS', 350, { xml, flags: flags({ validate: 1 }) }, { domain }),
  domainDefineXMLPlain: call('DOMAIN_DEFINE_XML', 11, { xml }, { domain }),
  /** Starts a domain that is gone when it ends. */
  domainCreateXML: call('DOMAIN_CREATE_XML', 10, { xml, flags: domainFlags.create }, { domain }),
  /** `from` is a path on the daemon's host. */
  domainRestore: call('DOMAIN_RESTORE_FLAGS', 233, { from: string, xml: maybe(xml), flags: domainFlags.save }),
  domainRestoreParams: call('DOMAIN_RESTORE_PARAMS', 441, { params: parameters, flags: domainFlags.save }),
  /** No domains given means all that the flags choose, no kinds all kinds. */
  getAllDomainStats: call(
    'CONNECT_GET_ALL_DOMAIN_STATS',
    344,
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
    { stats: list(struct({ domain, params: parameters })) },
  ),
  domainMigratePrepare: call(
    'DOMAIN_MIGRATE_PREPARE3_PARAMS',
    303,
    { params: parameters, cookieIn: bytes, flags: migrateFlags },
    { cookieOut: bytes, uriOut: maybe(string) },
  ),
  domainMigrateFinish: call(
    'DOMAIN_MIGRATE_FINISH3_PARAMS',
    306,
    { params: parameters, cookieIn: bytes, flags: migrateFlags, cancelled: i32 },
    { domain, cookieOut: bytes },
  ),
}

const networkLookups = {
  listAllNetworks: call(
    'CONNECT_LIST_ALL_NETWORKS',
    283,
    { need, flags: flags({ inactive: 1, active: 2, persistent: 4, transient: 8, autostart: 16, noAutostart: 32 }) },
    { networks: list(network), ret: counted },
  ),
  networkLookupByName: call('NETWORK_LOOKUP_BY_NAME', 46, { name: string }, { network }),
  networkLookupByUuid: call('NETWORK_LOOKUP_BY_UUID', 47, { uuid }, { network }),
  networkDefineXML: call('NETWORK_DEFINE_XML', 41, { xml }, { network }),
  /** libvirt 7.7 and later. */
  networkDefineXMLFlags: call('NETWORK_DEFINE_XML_FLAGS', 432, { xml, flags: flags({ validate: 1 }) }, { network }),
  /** Starts a network that is gone when it ends. */
  networkCreateXML: call('NETWORK_CREATE_XML', 40, { xml }, { network }),
}

const storageLookups = {
  listAllStoragePools: call(
    'CONNECT_LIST_ALL_STORAGE_POOLS',
    281,
    {
      need,
      flags: flags({ inactive: 1, active: 2, persistent: 4, transient: 8, autostart: 16, noAutostart: 32, dir: 64 }),
    },
    { pools: list(pool), ret: counted },
  ),
  storagePoolLookupByName: call('STORAGE_POOL_LOOKUP_BY_NAME', 84, { name: string }, { pool }),
  storagePoolLookupByUuid: call('STORAGE_POOL_LOOKUP_BY_UUID', 85, { uuid }, { pool }),
  storagePoolLookupByTargetPath: call('STORAGE_POOL_LOOKUP_BY_TARGET_PATH', 391, { path: string }, { pool }),
  storagePoolDefineXML: call('STORAGE_POOL_DEFINE_XML', 77, { xml, flags: flags({ validate: 1 }) }, { pool }),
  storagePoolCreateXML: call('STORAGE_POOL_CREATE_XML', 76, { xml, flags: poolCreateFlags }, { pool }),
  storageVolLookupByKey: call('STORAGE_VOL_LOOKUP_BY_KEY', 96, { key: string }, { vol }),
  storageVolLookupByPath: call('STORAGE_VOL_LOOKUP_BY_PATH', 97, { path: string }, { vol }),
}

const secretLookups = {
  listAllSecrets: call(
    'CONNECT_LIST_ALL_SECRETS',
    287,
    { need, flags: flags({ ephemeral: 1, noEphemeral: 2, private: 4, noPrivate: 8 }) },
    { secrets: list(secret), ret: counted },
  ),
  secretDefineXML: call('SECRET_DEFINE_XML', 142, { xml, flags: flags({ validate: 1 }) }, { secret }),
  secretLookupByUuid: call('SECRET_LOOKUP_BY_UUID', 141, { uuid }, { secret }),
  secretLookupByUsage: call(
    'SECRET_LOOKUP_BY_USAGE',
    147,
    { usageType: numbered({ none: 0, volume: 1, ceph: 2, iscsi: 3, tls: 4, vtpm: 5 }), usageId: string },
    { secret },
  ),
}

export const findMethods = { ...domainLookups, ...networkLookups, ...storageLookups, ...secretLookups }
