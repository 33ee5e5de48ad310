/**
 * Which OpenPGP keys and hashes count (threats K07): RSA from 3072 bits, EdDSA and the NIST curves, SHA-2 from 256 bits
 * and SHA-3. All else is refused: DSA, ElGamal, short RSA, MD5, SHA-1, RIPEMD. Both as a check of our own, so that the
 * reason can be told, and as settings of the library, so that forgetting the check changes nothing.
 */
import { type AlgorithmInfo, type Config, config, enums } from 'openpgp'

const MIN_RSA_BITS = 3072
const CURVES = new Set(['ed25519Legacy', 'nistP256', 'nistP384', 'nistP521'])
const HASHES = new Set<number>([enums.hash.sha256, enums.hash.sha384, enums.hash.sha512, 12, 14]) // 12, 14: SHA3-256, SHA3-512

export const OPENPGP_CONFIG: Config = {
  ...config,
  minRSABits: MIN_RSA_BITS,
  rejectHashAlgorithms: new Set([enums.hash.md5, enums.hash.sha1, enums.hash.ripemd]),
  rejectMessageHashAlgorithms: new Set([enums.hash.md5, enums.hash.sha1, enums.hash.ripemd]),
  rejectPublicKeyAlgorithms: new Set([enums.publicKey.elgamal, enums.publicKey.dsa]),
  allowMissingKeyFlags: false,
}

export function isStrongHash(algorithm: number | null): boolean {
  return algorithm !== null && HASHES.has(algorithm)
}

export function isStrongSigningKey({ algorithm, bits, curve }: AlgorithmInfo): boolean {
  if (algorithm === 'ed25519' || algorithm === 'ed448') return true
  if (algorithm === 'rsaEncryptSign' || algorithm === 'rsaSign') return (bits ?? 0) >= MIN_RSA_BITS
  return (algorithm === 'eddsaLegacy' || algorithm === 'ecdsa') && CURVES.has(curve ?? '')
}
