/**
 * SCRAM (RFC 5802, RFC 7677) without channel binding: both sides prove that they know the password and neither says it.
 * Pure but for the nonce.
 */
import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { refuse } from './error.ts'
import { saslprep } from './saslprep.ts'

/** Digests by mechanism, the strongest first; these are what Cyrus SASL, libvirt's library, offers. */
export const SCRAM_DIGESTS: ReadonlyMap<string, string> = new Map([
  ['SCRAM-SHA-512', 'sha512'],
  ['SCRAM-SHA-384', 'sha384'],
  ['SCRAM-SHA-256', 'sha256'],
  ['SCRAM-SHA-224', 'sha224'],
  ['SCRAM-SHA-1', 'sha1'],
])

export interface Login {
  readonly username: string
  readonly password: string
}

/** Below this RFC 5802 is not met; above, a hostile server would keep this side busy for minutes. */
const MIN_ITERATIONS = 4096
const MAX_ITERATIONS = 10_000_000
/** "n,,": no channel binding, and nobody else to act for. */
const GS2_HEADER = 'n,,'

export interface Scram {
  /** The message to begin with. */
  readonly first: Buffer
  /** The answer to the server's first message. */
  final(serverFirst: Buffer): Promise<Buffer>
  /** @throws {LibvirtError} `authFailed` unless the server has proved that it knows the password. */
  verify(serverFinal: Buffer): void
}

/**
 * @param digest As Node names it, `sha256`.
 * @throws {LibvirtError} `invalidArg` for what SASLprep forbids.
 */
export function startScram(digest: string, login: Login, nonce = randomBytes(24).toString('base64')): Scram {
  const user = saslprep(login.username, 'user name').replaceAll('=', '=3D').replaceAll(',', '=2C')
  const password = saslprep(login.password, 'password')
  const firstBare = `n=${user},r=${nonce}`
  const hmac = (key: Buffer, text: string) => createHmac(digest, key).update(text).digest()
  let expected: Buffer | undefined
  return {
    first: Buffer.from(GS2_HEADER + firstBare),
    async final(serverFirst) {
      const text = serverFirst.toString()
      const {
        r: both,
        s: salt,
        i: count,
      } = attributes(text, /^r=([\x21-\x2b\x2d-\x7e]+),s=([A-Za-z0-9+/=]+),i=(\d+)(?:,|$)/)
      const iterations = Number(count)
      if (!both.startsWith(nonce) || both.length === nonce.length) throw failed('did not extend our nonce')
      if (iterations < MIN_ITERATIONS || iterations > MAX_ITERATIONS)
        throw failed(`asks for ${count} iterations; ${MIN_ITERATIONS} to ${MAX_ITERATIONS} are done`)
      const size = createHash(digest).digest().length
      const salted = await promisify(pbkdf2)(password, Buffer.from(salt, 'base64'), iterations, size, digest)
      const clientKey = hmac(salted, 'Client Key')
      const storedKey = createHash(digest).update(clientKey).digest()
      const withoutProof = `c=${Buffer.from(GS2_HEADER).toString('base64')},r=${both}`
      const signed = `${firstBare},${text},${withoutProof}`
      const signature = hmac(storedKey, signed)
      const proof = clientKey.map((byte, i) => byte ^ (signature[i] ?? 0))
      expected = hmac(hmac(salted, 'Server Key'), signed)
      return Buffer.from(`${withoutProof},p=${Buffer.from(proof).toString('base64')}`)
    },
    verify(serverFinal) {
      const text = serverFinal.toString()
      const [, error] = /^e=([\w-]+)/.exec(text) ?? []
      if (error !== undefined) throw failed(`says ${error}`)
      const [, given = ''] = /^v=([A-Za-z0-9+/=]+)(?:,|$)/.exec(text) ?? []
      const signature = Buffer.from(given, 'base64')
      if (expected === undefined || signature.length !== expected.length || !timingSafeEqual(signature, expected))
        throw failed('did not prove that it knows the password; somebody else may be answering')
    },
  }
}

function attributes(text: string, pattern: RegExp): { r: string; s: string; i: string } {
  const [, r, s, i] = pattern.exec(text) ?? []
  if (r === undefined || s === undefined || i === undefined) throw failed('sent a message that is not SCRAM')
  return { r, s, i }
}

function failed(what: string): Error {
  return refuse('authFailed', `SCRAM: the daemon ${what}`)
}
