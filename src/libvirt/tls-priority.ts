/**
 * The part of GnuTLS's priority strings that can be said to OpenSSL, which Node has: NORMAL, with protocol versions
 * added or removed. Anything else is refused, since a weaker connection than was asked for would go unnoticed.
 */
import { refuse } from './error.ts'

const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const
type Version = (typeof VERSIONS)[number]

export interface TlsVersions {
  readonly minVersion: Version
  readonly maxVersion: Version
}

/** @throws {LibvirtError} `argumentUnsupported` for what cannot be said, `invalidArg` when no version is left. */
export function tlsVersions(priority: string | undefined): TlsVersions {
  const [first = '', ...changes] = (priority ?? 'NORMAL').split(':')
  // "@NAME,OTHER" is a name of the system's settings, with what counts where it has none.
  if (!/^(?:@[\w-]+,)*(?:NORMAL|SYSTEM|@SYSTEM)$/.test(first)) throw unspeakable(first)
  const enabled = new Set<Version>(VERSIONS)
  for (const change of changes) apply(change, enabled)
  const [minVersion, maxVersion] = [
    VERSIONS.find((one) => enabled.has(one)),
    VERSIONS.findLast((one) => enabled.has(one)),
  ]
  if (minVersion !== undefined && maxVersion !== undefined) return { minVersion, maxVersion }
  throw refuse('invalidArg', `tls_priority ${JSON.stringify(priority)} leaves neither TLS 1.2 nor TLS 1.3`)
}

function apply(change: string, enabled: Set<Version>): void {
  const [, sign, name] = /^([+!-])VERS-(TLS1\.[0-3]|SSL3\.0|TLS-ALL|ALL)$/.exec(change) ?? []
  const isAll = name === 'ALL' || name === 'TLS-ALL'
  const named = VERSIONS.find((one) => one.replace('v', '') === name)
  if (sign === undefined || (sign === '+' && !isAll && named === undefined)) throw unspeakable(change)
  for (const version of isAll ? VERSIONS : named === undefined ? [] : [named]) {
    if (sign === '+') enabled.add(version)
    else enabled.delete(version)
  }
}

function unspeakable(part: string): Error {
  return refuse(
    'argumentUnsupported',
    `tls_priority: ${JSON.stringify(part)} cannot be expressed here; NORMAL with -VERS-ALL, +VERS-TLS1.2, -VERS-TLS1.3 and the like can`,
  )
}
