/** How a connection lists, finds, defines and starts domains, and asks for the statistics of many at once. */
import { bool, bytes, flags, i32, list, maybe, preset, string, struct, uuid, xml } from './codecs.ts'
import { migrateFlags, migrateParameters } from './domain-migration.ts'
import { saveParameters } from './domain-save.ts'
import { domainStatistics } from './domain-statistics.ts'
import { call, streamCall } from './methods.ts'
import { domain } from './references.ts'
import { counted, domainFlags, need, validated } from './vocabulary.ts'

/** Flags that choose domains come in groups: within one any may fit, of each group that is named one must. */
const chosen = {
  active: 1,
  inactive: 2,
  persistent: 4,
  transient: 8,
  running: 16,
  paused: 32,
  shutoff: 64,
  /** In any other state. */
  other: 128,
} as const

export const domainLookups = {
  /**
   * All domains, running or only defined, or those that the flags choose. Flags come in groups (`active`/`inactive`,
   * …): of each group that is named one must fit.
   */
  listAllDomains: call(
    'CONNECT_LIST_ALL_DOMAINS',
    273,
    '0.9.13',
    {
      need,
      flags: flags({
        ...chosen,
        managedSave: 256,
        noManagedSave: 512,
        autostart: 1024,
        noAutostart: 2048,
        hasSnapshot: 4096,
        noSnapshot: 8192,
        hasCheckpoint: 16_384,
        noCheckpoint: 32_768,
      }),
    },
    { domains: list(domain), ret: counted },
  ),
  /**
   * The running domain with this number.
   * @throws {LibvirtError} `noDomain` when none runs under it
   */
  domainLookupById: call('DOMAIN_LOOKUP_BY_ID', 22, '0.0.3', { id: i32 }, { domain }),
  /**
   * The domain with this name, running or not.
   * @throws {LibvirtError} `noDomain` when there is none
   */
  domainLookupByName: call('DOMAIN_LOOKUP_BY_NAME', 23, '0.0.3', { name: string }, { domain }),
  /**
   * The domain with this UUID, running or not.
   * @throws {LibvirtError} `noDomain` when there is none
   */
  domainLookupByUuid: call('DOMAIN_LOOKUP_BY_UUID', 24, '0.0.5', { uuid }, { domain }),
  /**
   * Makes a definition, or replaces that of the domain with the same UUID; one that runs goes on as it was. It is not
   * started.
   * @throws {LibvirtError} `operationFailed` when the name belongs to a domain of another UUID, `xmlError`, `xmlDetail`
   * when the XML is wrong, `xmlInvalidSchema` with `validate`, `configUnsupported` for what the hypervisor does not
   * have
   */
  domainDefineXML: call('DOMAIN_DEFINE_XML_FLAGS', 350, '1.2.12', { xml, flags: validated }, { domain }),
  /**
   * As `domainDefineXML`, without flags, which some drivers do not have.
   * @throws {LibvirtError} as of `domainDefineXML`
   */
  domainDefineXMLPlain: call('DOMAIN_DEFINE_XML', 11, '0.1.1', { xml }, { domain }),
  /**
   * Starts a domain that is gone when it ends, unless one with its UUID is defined.
   * @throws {LibvirtError} `operationFailed` when it runs already or the name belongs to another, `xmlError`,
   * `xmlDetail`, `internalError` with the words of QEMU when that ends at once
   */
  domainCreateXML: call('DOMAIN_CREATE_XML', 10, '0.5.0', { xml, flags: domainFlags.create }, { domain }),
  /**
   * Starts a domain from a state that was saved to the file `from` of the daemon's host. `xml` may change what the host
   * has of it (paths of disks, …), nothing that its guest can see.
   * @throws {LibvirtError} `operationInvalid` when the domain runs, `operationFailed` when the file holds no such
   * state, `systemError` when it cannot be read, `configUnsupported` when the XML does not fit
   */
  domainRestore: call(
    'DOMAIN_RESTORE_FLAGS',
    233,
    '0.9.4',
    { from: string, xml: maybe(xml), flags: domainFlags.save },
    {},
    { isLong: true },
  ),
  /**
   * As `domainRestore`, with `file` (and `dxml`) among its parameters.
   * @throws {LibvirtError} as of `domainRestore`; `invalidArg` without a `file`
   */
  domainRestoreParams: call(
    'DOMAIN_RESTORE_PARAMS',
    441,
    '8.4.0',
    { params: saveParameters, flags: domainFlags.save },
    {},
    { isLong: true },
  ),
  /**
   * Statistics of many domains in one call. No domains given means all that the flags choose, no `stats` all kinds; a
   * kind that the daemon does not have is left out, unless `enforce` is set. A domain that is busy with another job
   * gives only what needs no answer of QEMU, when the daemon has waited for it up to 30 s, or at once with `noWait`.
   * @throws {LibvirtError} `invalidArg` when domains are given with flags that choose, `argumentUnsupported` with
   * `enforce`
   */
  getAllDomainStats: call(
    'CONNECT_GET_ALL_DOMAIN_STATS',
    344,
    '1.2.8',
    {
      domains: preset(list(domain), []),
      stats: flags({
        state: 1,
        cpu: 2,
        balloon: 4,
        vcpu: 8,
        interface: 16,
        block: 32,
        perf: 64,
        iothread: 128,
        /** Use of memory bandwidth, where the host watches it. */
        memory: 256,
        dirtyRate: 512,
        /** What KVM counts of the domain as a whole; not stable across kernels. libvirt 8.9 and later. */
        vm: 1024,
      }),
      flags: flags({
        ...chosen,
        /** Do not wait for domains that are busy. */
        noWait: 0x2000_0000,
        /** Tell of each disk's backing images too. */
        backing: 0x4000_0000,
        /** Fail when a kind of statistics cannot be had. */
        enforce: 0x8000_0000,
      }),
    },
    { stats: list(struct({ domain, params: domainStatistics })) },
  ),
  /**
   * On the host that a domain shall move to: makes ready to receive it. `cookieIn` is what `migrateBegin` gave, the
   * result is for `migratePerform`; see there.
   * @throws {LibvirtError} `operationFailed` when a domain of that name or UUID is active here, `configUnsupported`,
   * `cpuIncompatible`
   */
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
  /**
   * On the host that a domain has moved to: lets it run there, or with `cancelled` ends what came. Waits until all of
   * it has come.
   * @throws {LibvirtError} `noDomain` when it did not arrive, `migrateFinishOk` when it was given up in time
   */
  domainMigrateFinish: call(
    'DOMAIN_MIGRATE_FINISH3_PARAMS',
    306,
    '1.1.0',
    { params: migrateParameters, cookieIn: bytes, flags: migrateFlags, cancelled: bool },
    { domain, cookieOut: bytes },
    { isLong: true },
  ),
}
