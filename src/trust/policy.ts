/**
 * Which OpenPGP keys and hashes count, and until when (threats K07). A row without an end counts; a row whose end is past
 * counts no longer; what has no row never counts. Both a check of our own, so that the reason can be told, and settings of
 * the library, so that forgetting the check changes nothing.
 *
 * Sources: RFC 9580 9.1 to 9.5, NIST SP 800-131A (RSA, SHA-1), FIPS 186-5 (DSA), the SHAmbles paper (SHA-1 certificates),
 * NIST IR 8547 (classical signatures are disallowed after 2035).
 */
import { type AlgorithmInfo, type Config, config, enums } from 'openpgp'

interface PolicyRow {
  /** As messages and docs/trust.md call it. */
  readonly name: string
  /** First day on which it counts no longer; absent where none is known. */
  readonly endsAt?: string
}

const NO_CLASSICAL_SIGNATURES = '2036-01-01'

/** Every row, the ended ones as well: the table of docs/trust.md. */
export const KEY_POLICY = {
  ed25519: { name: 'Ed25519', endsAt: NO_CLASSICAL_SIGNATURES },
  ed448: { name: 'Ed448', endsAt: NO_CLASSICAL_SIGNATURES },
  ecdsa: { name: 'ECDSA on P-256, P-384, P-521', endsAt: NO_CLASSICAL_SIGNATURES },
  rsa3072: { name: 'RSA from 3072 bits', endsAt: NO_CLASSICAL_SIGNATURES },
  rsa2048: { name: 'RSA from 2048 bits', endsAt: '2026-01-01' },
  rsa1024: { name: 'shorter RSA', endsAt: '2014-01-01' },
  dsa: { name: 'DSA', endsAt: '2023-02-03' },
} as const satisfies Readonly<Record<string, PolicyRow>>

export const HASH_POLICY = {
  [enums.hash.sha256]: { name: 'SHA-256' },
  [enums.hash.sha384]: { name: 'SHA-384' },
  [enums.hash.sha512]: { name: 'SHA-512' },
  [enums.hash.sha3_256]: { name: 'SHA3-256' },
  [enums.hash.sha3_512]: { name: 'SHA3-512' },
  [enums.hash.sha224]: { name: 'SHA-224', endsAt: '2026-01-01' },
  [enums.hash.sha1]: { name: 'SHA-1', endsAt: '2020-01-07' },
  [enums.hash.ripemd]: { name: 'RIPEMD-160', endsAt: '2014-01-01' },
  [enums.hash.md5]: { name: 'MD5', endsAt: '2008-12-30' },
} as const satisfies Readonly<Record<number, PolicyRow>>

/** What had ended by the day of this table counts on no day: an old snapshot does not make a broken hash good again. */
const TABLE_OF = new Date('2026-01-01T00:00:00Z')
const MIN_RSA_BITS = 3072
const ED25519 = 'ed25519Legacy'
const NIST = new Set<string>(['nistP256', 'nistP384', 'nistP521'])

export const OPENPGP_CONFIG: Config = {
  ...config,
  minRSABits: MIN_RSA_BITS,
  rejectHashAlgorithms: new Set([enums.hash.md5, enums.hash.sha1, enums.hash.ripemd]),
  rejectMessageHashAlgorithms: new Set([enums.hash.md5, enums.hash.sha1, enums.hash.ripemd]),
  rejectPublicKeyAlgorithms: new Set([enums.publicKey.elgamal, enums.publicKey.dsa]),
  allowMissingKeyFlags: false,
}

export function isStrongHash(algorithm: number | null, at: Date): boolean {
  const rows: Readonly<Record<number, PolicyRow>> = HASH_POLICY
  return counts(algorithm === null ? undefined : rows[algorithm], at)
}

export function isStrongSigningKey(info: AlgorithmInfo, at: Date): boolean {
  return counts(rowOf(info), at)
}

function counts(row: PolicyRow | undefined, at: Date): boolean {
  if (row === undefined) return false
  const day = at > TABLE_OF ? at : TABLE_OF
  return row.endsAt === undefined || day < new Date(row.endsAt)
}

function rowOf({ algorithm, bits = 0, curve }: AlgorithmInfo): PolicyRow | undefined {
  if (algorithm === 'ed25519' || (algorithm === 'eddsaLegacy' && curve === ED25519)) return KEY_POLICY.ed25519
  if (algorithm === 'ed448') return KEY_POLICY.ed448
  if (algorithm === 'ecdsa' && NIST.has(curve ?? '')) return KEY_POLICY.ecdsa
  if (algorithm === 'dsa') return KEY_POLICY.dsa
  if (algorithm !== 'rsaEncryptSign' && algorithm !== 'rsaSign') return undefined
  if (bits >= MIN_RSA_BITS) return KEY_POLICY.rsa3072
  return bits >= 2048 ? KEY_POLICY.rsa2048 : KEY_POLICY.rsa1024
}
