/**
 * Certificates, keys and passwords of OpenVPN profiles, written anew: PEM blocks of the expected kinds, static keys in
 * hexadecimal, user and password. Text around them is left out; whatever else stands in a block is refused.
 */
import type { Place } from './address.ts'
import { ProfileProblem } from './problem.ts'

type Rewrite = (lines: readonly string[], place: Place) => readonly string[]

/** The inline blocks that a profile may have, in the order in which they are written. */
export const BLOCKS: ReadonlyMap<string, Rewrite> = new Map([
  ['ca', pem(['CERTIFICATE'])],
  ['cert', pem(['CERTIFICATE'])],
  ['key', pem(['PRIVATE KEY', 'RSA PRIVATE KEY', 'EC PRIVATE KEY'])],
  ['extra-certs', pem(['CERTIFICATE'])],
  ['crl-verify', pem(['X509 CRL'])],
  ['tls-auth', staticKey],
  ['tls-crypt', staticKey],
  ['tls-crypt-v2', pem(['OpenVPN tls-crypt-v2 client key'])],
  ['auth-user-pass', userAndPassword],
  ['peer-fingerprint', fingerprints],
])

/** Removes the white space around lines; empty ones go. */
function trimmed(lines: readonly string[]): readonly string[] {
  return lines.map((line) => line.trim()).filter((line) => line !== '')
}

export function pem(labels: readonly string[]): Rewrite {
  return (lines, { line, directive }) => {
    const written: string[] = []
    let open: { readonly label: string; text: string } | undefined
    for (const text of trimmed(lines)) {
      const [, word, label = ''] = /^-----(BEGIN|END) ([A-Za-z0-9 -]{1,60})-----$/.exec(text) ?? []
      if (word === 'BEGIN' && open === undefined) open = { label, text: '' }
      else if (word === 'END' && open?.label === label) {
        written.push(...formatPem(label, open.text, labels, { line, directive }))
        open = undefined
      } else if (word !== undefined) throw new ProfileProblem(line, directive, 'its PEM blocks do not match up')
      else if (open !== undefined) open.text += text
    }
    if (open !== undefined || written.length === 0) {
      throw new ProfileProblem(line, directive, `it holds no whole block of ${labels[0] ?? ''}`)
    }
    return written
  }
}

function formatPem(label: string, text: string, labels: readonly string[], { line, directive }: Place): string[] {
  if (/^ENCRYPTED |ENCRYPTED/.test(label) || text.startsWith('Proc-Type:')) {
    throw new ProfileProblem(
      line,
      directive,
      'the key is locked by a password, which nobody could type on a router',
      'Take the password off: openssl pkey -in locked.key -out open.key',
    )
  }
  if (!labels.includes(label)) throw new ProfileProblem(line, directive, `a block of ${label} does not belong there`)
  const isBase64 = text.length % 4 === 0 && /^[A-Za-z0-9+/]{4,}={0,2}$/.test(text)
  if (!isBase64) throw new ProfileProblem(line, directive, 'a PEM block is not base64')
  return [`-----BEGIN ${label}-----`, ...(text.match(/.{1,64}/g) ?? []), `-----END ${label}-----`]
}

const STATIC_KEY = 'OpenVPN Static key V1'
const STATIC_KEY_DIGITS = 512

function staticKey(lines: readonly string[], { line, directive }: Place): readonly string[] {
  const text = trimmed(lines)
    .filter((one) => !one.startsWith('#'))
    .join('\n')
  const [, body = ''] =
    new RegExp(`^-----BEGIN ${STATIC_KEY}-----\n([^-]*)\n-----END ${STATIC_KEY}-----$`).exec(text) ?? []
  const digits = body.replaceAll('\n', '').toLowerCase()
  if (digits.length !== STATIC_KEY_DIGITS || !/^[0-9a-f]*$/.test(digits)) {
    throw new ProfileProblem(line, directive, `it is not an ${STATIC_KEY} of 2048 bits`)
  }
  return [`-----BEGIN ${STATIC_KEY}-----`, ...(digits.match(/.{32}/g) ?? []), `-----END ${STATIC_KEY}-----`]
}

/** OpenVPN's buffer for each holds 128 with its end. */
const MAX_SECRET_BYTES = 127

function userAndPassword(lines: readonly string[], { line, directive }: Place): readonly string[] {
  const [user = '', password = '', ...rest] = lines
  if (rest.some((one) => one.trim() !== '') || user === '' || password === '') {
    throw new ProfileProblem(
      line,
      directive,
      'it does not hold a user and a password, each in a line',
      'Nobody can type them on a router: write both into <auth-user-pass>.',
    )
  }
  for (const one of [user, password]) {
    const isPlain =
      Buffer.byteLength(one) <= MAX_SECRET_BYTES && !one.includes('\t') && !one.trimStart().startsWith('</')
    if (!isPlain)
      throw new ProfileProblem(line, directive, 'the user or the password is too long, or has a tab or a tag')
  }
  return [user, password]
}

/** SHA-256 of certificates, as OpenVPN writes them. */
function fingerprints(lines: readonly string[], { line, directive }: Place): readonly string[] {
  const found = trimmed(lines).map((one) => one.toUpperCase())
  if (found.length === 0 || found.some((one) => !/^[0-9A-F]{2}(?::[0-9A-F]{2}){31}$/.test(one))) {
    throw new ProfileProblem(line, directive, 'it is not a list of SHA-256 fingerprints')
  }
  return [...new Set(found)]
}
