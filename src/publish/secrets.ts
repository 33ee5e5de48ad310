/**
 * What must not be published by mistake (threats P05): dot files, files named like keys or passwords, and anything that
 * holds a private key in a known armor. A net for accidents, not a proof that there is no secret.
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
  /^\s*PrivateKey\s*=\s*[A-Za-z0-9+/]{43}=\s*$/m,
  /\bAGE-SECRET-KEY-1[0-9A-Z]{20}/,
]

/** @throws {VmpkgError} `SECRET_REFUSED` with every file in `details.files` */
export function refuseSecrets(files: ArchiveFiles): void {
  const found = [...files].filter(([path, { bytes }]) => looksSecret(path, bytes)).map(([path]) => path)
  if (found.length === 0) return
  throw new VmpkgError('SECRET_REFUSED', `These files do not belong in a package: ${found.slice(0, 10).join(', ')}`, {
    hint: 'Remove dot files, keys and passwords; let the user hand them in as parameters of type file.',
    details: { files: found },
  })
}

function looksSecret(path: string, bytes: Uint8Array): boolean {
  const segments = path.toLowerCase().split('/')
  const name = segments.at(-1) ?? ''
  if (segments.some((segment) => segment.startsWith('.')) || NAMES.some((pattern) => pattern.test(name))) return true
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
  return CONTENTS.some((pattern) => pattern.test(text))
}
