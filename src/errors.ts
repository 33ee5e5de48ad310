/**
 * Every failure a user can meet has one code here and one row in docs/errors.md; `test/architecture.test.ts`
 * compares the two with what the tests raise. Programmer mistakes stay plain `TypeError` or `Error`.
 */

/** The closed set of codes, `AREA_FACT`. Stable: scripts match on them. */
export type ErrorCode = (typeof ERROR_CODES)[number]

export const ERROR_CODES = [
  // command line and local state
  'USAGE',
  'ABORTED',
  'CONFIRMATION_NEEDED',
  'INTERNAL',
  'LOCK_HELD',
  'STATE_INVALID',
  'STATE_CHANGED',
  'HISTORY_CONFLICT',
  'NO_SPACE',
  'NO_RIGHTS',
  'DISK_FAILED',
  'TOOL_MISSING',
  // words of the model
  'NAME_INVALID',
  'VERSION_INVALID',
  'RELATION_INVALID',
  'DIGEST_INVALID',
  'MANIFEST_INVALID',
  'PARAMETER_INVALID',
  'RECIPE_INVALID',
  // sources and trust
  'SOURCE_INVALID',
  'SOURCE_EXISTS',
  'SOURCE_UNKNOWN',
  'SOURCE_CHANGED',
  'PREFERENCES_INVALID',
  'KEY_INVALID',
  'KEY_UNKNOWN',
  'KEY_WEAK',
  'KEY_EXPIRED',
  'KEY_REVOKED',
  'SIGNATURE_INVALID',
  'SIGNATURE_UNTRUSTED',
  'THRESHOLD_UNMET',
  'ROOT_INVALID',
  'ROOT_EXPIRED',
  'ENVELOPE_INVALID',
  'ENVELOPE_EXPIRED',
  'ENVELOPE_ROLLED_BACK',
  'ENVELOPE_EQUIVOCATED',
  'CLOCK_WRONG',
  'INDEX_INVALID',
  'CHANNELS_INVALID',
  'CHANNELS_ROLLED_BACK',
  'DIGEST_MISMATCH',
  'SIZE_EXCEEDED',
  // fetching
  'DOWNLOAD_FAILED',
  'DOWNLOAD_STALLED',
  'REDIRECT_REFUSED',
  'OFFLINE',
  // packages
  'PACKAGE_UNKNOWN',
  'PACKAGE_NOT_INSTALLED',
  'PACKAGE_IN_USE',
  'PACKAGE_EXISTS',
  'RELATION_CONFLICT',
  'ARCHIVE_INVALID',
  'ARCHIVE_ENTRY_REFUSED',
  'CAPABILITY_NOT_GRANTED',
  // images
  'IMAGE_INVALID',
  'IMAGE_DAMAGED',
  'IMAGE_IN_USE',
  'IMAGE_READ_ONLY',
  'RESIZE_REFUSED',
  'BUILD_FAILED',
  // images of vendors
  'UPSTREAM_UNKNOWN',
  'UPSTREAM_INVALID',
  'CHECKSUMS_INVALID',
  'SOURCES_DISAGREE',
  'MACHINES_INVALID',
  // publishing
  'REGISTRY_INVALID',
  'REGISTRY_EXISTS',
  'REGISTRY_CHANGED',
  'TARGET_FAILED',
  'SECRET_REFUSED',
  // rendering
  'XML_INVALID',
  'SCHEMA_INVALID',
  'SCHEMA_UNUSABLE',
  'TEMPLATE_INVALID',
  'RENDER_REFUSED',
  'POLICY_REFUSED',
  'DEFINITION_CONFLICT',
  // host and libvirt
  'HOST_UNSUPPORTED',
  'PREFLIGHT_FAILED',
  'HOST_FILE_CHANGED',
  'DEVICE_UNKNOWN',
  'DEVICE_REFUSED',
  'PLACEMENT_IMPOSSIBLE',
  'HUGEPAGES_MISSING',
  'PRIVATE_HOST_FAILED',
  'HOST_RULES_FAILED',
  'LIBVIRT_UNREACHABLE',
  'LIBVIRT_FAILED',
  'DOMAIN_EXISTS',
  'DOMAIN_UNKNOWN',
  'DOMAIN_FOREIGN',
  'DOMAIN_STATE',
  'STORAGE_UNKNOWN',
  'STORAGE_EXISTS',
  'STORAGE_IN_USE',
  'STORAGE_UNAVAILABLE',
  'STORAGE_LOCKED',
  'SNAPSHOT_UNKNOWN',
  'SNAPSHOT_EXISTS',
  'SNAPSHOT_DAMAGED',
  'NETWORK_EXISTS',
  'NETWORK_UNAVAILABLE',
  'ADDRESS_UNAVAILABLE',
  'GUEST_NOT_READY',
  'VIEWER_FAILED',
  'ATTESTATION_FAILED',
  'AGENT_UNAVAILABLE',
  'AGENT_REFUSED',
  // files of machines
  'FILE_NOT_FOUND',
  'FILE_UNREADABLE',
  'FILESYSTEM_UNSUPPORTED',
  // backups
  'BACKUP_UNKNOWN',
  'BACKUP_INVALID',
  // routers
  'VPN_PROFILE_INVALID',
  'TOR_NETWORK_INVALID',
] as const

export interface VmpkgErrorOptions {
  /** One imperative sentence the user can act on. */
  readonly hint?: string
  readonly cause?: unknown
  /** JSON-safe facts for `--json`. */
  readonly details?: Readonly<Record<string, unknown>>
}

/** A failure with a stable code. The message names the offending thing; the hint says what to do next. */
export class VmpkgError extends Error {
  override readonly name = 'VmpkgError'
  readonly code: ErrorCode
  readonly hint: string | undefined
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, message: string, options: VmpkgErrorOptions = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.code = code
    this.hint = options.hint
    this.details = options.details ?? {}
  }
}

/** True for a `VmpkgError` with one of the given codes (any code when none is given). */
export function isVmpkgError(error: unknown, ...codes: readonly ErrorCode[]): error is VmpkgError {
  return error instanceof VmpkgError && (codes.length === 0 || codes.includes(error.code))
}

/** `ENOENT` and the like, where the error came from the operating system. */
export function systemErrorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
