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

/** What the daemon says in an error reply. `int1` is errno when the code is `systemError`. */
export interface RemoteError {
  readonly code: number
  /** Number of the layer that spoke; no guide to what happened. */
  readonly domain: number
  readonly message: string
  readonly int1: number
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
  readonly int1: number
  readonly procedure: string | undefined
  readonly local: boolean

  constructor(error: RemoteError, options: LibvirtErrorOptions = {}) {
    super(error.message, options.cause === undefined ? {} : { cause: options.cause })
    this.code = error.code
    this.domain = error.domain
    this.int1 = error.int1
    this.procedure = options.procedure
    this.local = options.local ?? false
  }

  /** libvirt's name of the code, or `unknown(n)` for one newer than this table. */
  get codeName(): LibvirtErrorName | `unknown(${number})` {
    return NAMES[this.code] ?? `unknown(${this.code})`
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
  return new LibvirtError({ code: NAMES.indexOf(name), domain: 0, message, int1: 0 }, { ...options, local: true })
}
