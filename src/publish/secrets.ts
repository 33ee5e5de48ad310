/**
 * What must not be published by mistake (threats P05): dot files, files named like keys or passwords, and anything that
 * holds a private key in a known form or a value that reads like a password. A net for accidents, not a proof that there is
 * no secret.
 */
import type { ArchiveFiles } from '../archive/write.ts'
import { VmpkgError } from '../errors.ts'

const NAMES = [
  /^id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?$/,
  /\.(?:key|pem|p12|pfx|jks|kdbx|ppk|gpg|pgp|ovpn)$/,
  /\.secret\.asc$/,
  /^(?:shadow|gshadow|htpasswd|credentials|secrets?|passwords?)(?:\..*)?$/,
  /^(?:wg[0-9]*|wireguard)\.conf$/,
]
const CONTENTS = [
  /-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----/,
  /^PuTTY-User-Key-File-/m,
  /^\s*(?:PrivateKey|PresharedKey)\s*=\s*[A-Za-z0-9+/]{43}=\s*$/m,
  /\bAGE-SECRET-KEY-1[0-9A-Z]{20}/,
  /"d"\s*:\s*"[A-Za-z0-9_-]{40,}"/, // JSON Web Key, RFC 7518 6.2.2
  /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/,
  /\b(?:gh[opsu]|github_pat|glpat|xox[abpr])[_-][A-Za-z0-9_-]{20,}/,
]
/** The same keys without their armor: base64 of what the bytes of `BINARY` begin. */
const BASE64 = [
  /(?<![A-Za-z0-9+/])MC4CAQAwBQYDK2V[wub]BCIEI[A-Za-z0-9+/]{40}/, // PKCS #8, Ed25519 and X25519
  /(?<![A-Za-z0-9+/])MII[A-Za-z0-9+/]{3}IBADAN/, // PKCS #8, RSA
  /(?<![A-Za-z0-9+/])MII[A-Za-z0-9+/]{3}IBAAKC/, // PKCS #1
  /(?<![A-Za-z0-9+/])MHcCAQEEI[A-Za-z0-9+/]{40}/, // SEC 1, P-256
  /(?<![A-Za-z0-9+/])b3BlbnNzaC1rZXktdjE/, // OpenSSH
]
/** DER of a private key, and an OpenPGP secret key packet (RFC 9580 5.5.1: tag 5, version 4 or 6). */
const BINARY = [
  /^\x30(?:\x82..|\x81.|[\x20-\x7f])\x02\x01[\x00\x01](?:\x30|\x02\x82|\x02\x81|\x04[\x20-\x42])/s,
  /^(?:\x94.|\x95..|\xc5(?:[\x00-\xbf]|[\xc0-\xdf].))[\x04\x06]/s,
  /^openssh-key-v1\0/,
]
/** `password = …` and the like: a value that is long, of one piece and looks drawn by lot. */
const ASSIGNED =
  /\b\w*(?:passw(?:or)?d|passphrase|secret|api_?key|access_?key|private_?key|auth_?token|psk)["']?\s*[:=]\s*["']?([A-Za-z0-9+/=_-]{20,})["']?\s*[;,]?\s*$/gim
const MIN_BITS_PER_CHARACTER = 3.5

/** @throws {VmpkgError} `SECRET_REFUSED` with every file in `details.files` */
export function refuseSecrets(files: ArchiveFiles): void {
  const found = [...files].filter(([path, { bytes }]) => looksSecret(path, bytes)).map(([path]) => path)
  if (found.length === 0) return
  throw new VmpkgError('SECRET_REFUSED', `These files do not belong in a package: ${found.slice(0, 10).join(', ')}`, {
    hint: 'Remove dot files, keys and passwords; let the user hand them in as parameters of type file.',
    details: { files: found },
  })
}

/** A file that should not leave the publisher, by its path or its bytes. */
export function looksSecret(path: string, bytes: Uint8Array): boolean {
  const segments = path.toLowerCase().split('/')
  const name = segments.at(-1) ?? ''
  if (segments.some((segment) => segment.startsWith('.')) || NAMES.some((pattern) => pattern.test(name))) return true
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
  return [...CONTENTS, ...BASE64, ...BINARY].some((pattern) => pattern.test(text)) || hasAssignedSecret(text)
}

function hasAssignedSecret(text: string): boolean {
  return [...text.matchAll(ASSIGNED)].some(([, value = '']) => bitsPerCharacter(value) >= MIN_BITS_PER_CHARACTER)
}

/** Shannon's entropy of the characters: words of a language stay below, 20 drawn characters come out above. */
function bitsPerCharacter(text: string): number {
  const counts = new Map<string, number>()
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1)
  let bits = 0
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length)
  return bits
}
