/**
 * The two failures this folder knows: the daemon refused (`LibvirtError`), or there is no daemon to talk to
 * (`ConnectionClosed`). Numbers and names are libvirt's virErrorNumber. The text of a daemon's error is the daemon's.
 */

/** Names by number; the index is the number on the wire. */
const NAMES = [
  'ok',
  'internalError',
  'noMemory',
  'noSupport',
  'unknownHost',
  'noConnect',
  'invalidConn',
  'invalidDomain',
  'invalidArg',
  'operationFailed',
  'getFailed',
  'postFailed',
  'httpError',
  'sexprSerial',
  'noXen',
  'xenCall',
  'osType',
  'noKernel',
  'noRoot',
  'noSource',
  'noTarget',
  'noName',
  'noOs',
  'noDevice',
  'noXenstore',
  'driverFull',
  'callFailed',
  'xmlError',
  'domExist',
  'operationDenied',
  'openFailed',
  'readFailed',
  'parseFailed',
  'confSyntax',
  'writeFailed',
  'xmlDetail',
  'invalidNetwork',
  'networkExist',
  'systemError',
  'rpc',
  'gnutlsError',
  'warNoNetwork',
  'noDomain',
  'noNetwork',
  'invalidMac',
  'authFailed',
  'invalidStoragePool',
  'invalidStorageVol',
  'warNoStorage',
  'noStoragePool',
  'noStorageVol',
  'warNoNode',
  'invalidNodeDevice',
  'noNodeDevice',
  'noSecurityModel',
  'operationInvalid',
  'warNoInterface',
  'noInterface',
  'invalidInterface',
  'multipleInterfaces',
  'warNoNwfilter',
  'invalidNwfilter',
  'noNwfilter',
  'buildFirewall',
  'warNoSecret',
  'invalidSecret',
  'noSecret',
  'configUnsupported',
  'operationTimeout',
  'migratePersistFailed',
  'hookScriptFailed',
  'invalidDomainSnapshot',
  'noDomainSnapshot',
  'invalidStream',
  'argumentUnsupported',
  'storageProbeFailed',
  'storagePoolBuilt',
  'snapshotRevertRisky',
  'operationAborted',
  'authCancelled',
  'noDomainMetadata',
  'migrateUnsafe',
  'overflow',
  'blockCopyActive',
  'operationUnsupported',
  'ssh',
  'agentUnresponsive',
  'resourceBusy',
  'accessDenied',
  'dbusService',
  'storageVolExist',
  'cpuIncompatible',
  'xmlInvalidSchema',
  'migrateFinishOk',
  'authUnavailable',
  'noServer',
  'noClient',
  'agentUnsynced',
  'libssh',
  'deviceMissing',
  'invalidNwfilterBinding',
  'noNwfilterBinding',
  'invalidDomainCheckpoint',
  'noDomainCheckpoint',
  'noDomainBackup',
  'invalidNetworkPort',
  'networkPortExist',
  'noNetworkPort',
  'noHostname',
  'checkpointInconsistent',
  'multipleDomains',
  'noNetworkMetadata',
  'agentCommandTimeout',
  'agentCommandFailed',
] as const

export type LibvirtErrorName = (typeof NAMES)[number]

/** Names of virErrorDomain, the layer that spoke; the index is the number on the wire. */
const DOMAINS =
  'none xen xend xenstore sexpr xml dom rpc proxy conf qemu net test remote openvz xenxm statsLinux lxc storage network domain uml nodedev xenInotify security vbox interface one esx phyp secret cpu xenapi nwfilter hook domainSnapshot audit sysinfo streams vmware event libxl locking hyperv capabilities uri auth dbus parallels device ssh lockspace initctl identity cgroup access systemd bhyve crypto firewall polkit thread admin logging xenxl perf libssh resctrl firewalld domainCheckpoint tpm bpf ch'.split(
    ' ',
  )
const LEVELS = ['none', 'warning', 'error'] as const

/** What the daemon says in an error reply. */
export interface RemoteError {
  readonly code: number
  /** Number of the layer that spoke; no guide to what happened. */
  readonly domain: number
  readonly message: string
  /** 1 warning, 2 error. */
  readonly level: number
  /** errno when the code is `systemError`. */
  readonly int1: number
  readonly int2: number
  /** What the message was made of: mostly its format and arguments. */
  readonly texts: readonly (string | undefined)[]
}

export interface LibvirtErrorOptions {
  /** Name of the procedure that failed, as `DOMAIN_CREATE_WITH_FLAGS`. */
  readonly procedure?: string | undefined
  /** True when this side refused and nothing was sent or awaited any longer. */
  readonly local?: boolean
  readonly cause?: unknown
}

/** A refusal. Branch with `is()`: message and `domain` differ between releases, the code does not. */
export class LibvirtError extends Error {
  override readonly name = 'LibvirtError'
  readonly code: number
  readonly domain: number
  readonly level: number
  readonly int1: number
  readonly int2: number
  readonly texts: readonly (string | undefined)[]
  /** Name of the procedure that failed, as `DOMAIN_CREATE_WITH_FLAGS`. */
  readonly procedure: string | undefined
  /** True when this side refused, and the daemon said nothing. */
  readonly local: boolean

  constructor(error: RemoteError, options: LibvirtErrorOptions = {}) {
    super(error.message, options.cause === undefined ? {} : { cause: options.cause })
    this.code = error.code
    this.domain = error.domain
    this.level = error.level
    this.int1 = error.int1
    this.int2 = error.int2
    this.texts = error.texts
    this.procedure = options.procedure
    this.local = options.local ?? false
  }

  /** libvirt's name of the code, or `unknown(n)` for one newer than this table. */
  get codeName(): LibvirtErrorName | `unknown(${number})` {
    return NAMES[this.code] ?? `unknown(${this.code})`
  }

  /** The layer that spoke, as `qemu` or `storage`; it differs between releases and is no guide to what happened. */
  get domainName(): string {
    return DOMAINS[this.domain] ?? `unknown(${this.domain})`
  }

  get levelName(): 'none' | 'warning' | 'error' | `unknown(${number})` {
    return LEVELS[this.level] ?? `unknown(${this.level})`
  }

  /** True when the code is one of these. */
  is(...names: readonly LibvirtErrorName[]): boolean {
    const own = NAMES[this.code]
    return own !== undefined && names.includes(own)
  }
}

/** No connection, or no longer. All calls of one connection that fail this way get the same instance. */
export class ConnectionClosed extends Error {
  override readonly name = 'ConnectionClosed'
}

/** A refusal by this side, before anything is sent. */
export function refuse(name: LibvirtErrorName, message: string, options: LibvirtErrorOptions = {}): LibvirtError {
  const code = NAMES.indexOf(name)
  return new LibvirtError(
    { code, domain: 0, message, level: 2, int1: 0, int2: 0, texts: [] },
    { ...options, local: true },
  )
}
