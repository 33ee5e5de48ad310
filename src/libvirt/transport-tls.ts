/**
 * TLS to a daemon on another machine. Both sides show certificates; the daemon judges the client's after the handshake
 * and then sends one byte, 1, before any packet. With TLS 1.3 a refusal shows only as a close instead of that byte.
 */
import { isIP } from 'node:net'
import { connect as startTls, type TLSSocket } from 'node:tls'
import type { Surroundings } from './daemon-sockets.ts'
import { ConnectionClosed, refuse } from './error.ts'
import type { CallOptions } from './rpc.ts'
import { readTlsFiles, type TlsCredentials } from './tls-files.ts'
import { tlsVersions } from './tls-priority.ts'
import { dialTcp, where } from './transport-tcp.ts'
import type { TlsTarget } from './uri.ts'

const ACCEPTED = 1

/**
 * @throws {LibvirtError} `authFailed` when one side does not accept the other's certificate
 * @throws {ConnectionClosed} when nothing answers, or no TLS
 */
export async function dialTls(target: TlsTarget, around: Surroundings, limits: CallOptions): Promise<TLSSocket> {
  const versions = tlsVersions(target.priority)
  const { files, ...credentials } = await readTlsFiles(target, around)
  const socket = await dialTcp(target, limits)
  return new Promise((resolve, reject) => {
    const { host, verify } = target
    const { signal, timeoutMs } = limits
    const settled = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', aborted)
      for (const [name, listener] of Object.entries({ error: failed, close: closed, data: judged }))
        tls.off(name, listener)
    }
    const fail = (reason: unknown) => {
      settled()
      tls.on('error', () => {})
      tls.destroy()
      reject(reason)
    }
    const failed = (error: NodeJS.ErrnoException) => fail(explain(error, target, files))
    const closed = () => fail(refused(target, credentials, files))
    const aborted = () => fail(signal?.reason)
    const judged = (piece: Buffer) => {
      tls.pause()
      if (piece[0] !== ACCEPTED) return fail(refused(target, credentials, files))
      settled()
      if (piece.length > 1) tls.unshift(piece.subarray(1))
      resolve(tls)
    }
    const late = () =>
      fail(refuse('operationTimeout', `TLS with ${where(host, target.port)} was not ready within ${timeoutMs} ms`))
    const timer = timeoutMs === undefined ? undefined : setTimeout(late, timeoutMs)
    // A name goes into the hello; an address may not.
    const servername = isIP(host) === 0 ? host : ''
    let tls: TLSSocket
    try {
      tls = startTls({ socket, host, servername, ...credentials, ...versions, rejectUnauthorized: verify })
    } catch (error) {
      clearTimeout(timer)
      socket.destroy()
      const paths = Object.values(files).join(', ')
      reject(
        refuse('systemError', `the TLS files cannot be used (${paths}): ${(error as Error).message}`, { cause: error }),
      )
      return
    }
    apart(tls)
    signal?.addEventListener('abort', aborted, { once: true })
    tls.on('error', failed).on('close', closed).on('data', judged)
  })
}

/**
 * Makes every chunk that is written a TLS record of its own. libvirt's daemon waits for its socket to become readable
 * after each packet, and what came in the same record is in GnuTLS's hands then: two packets in one record leave the
 * second unread until something else arrives.
 */
function apart(tls: TLSSocket): void {
  // Node joins waiting chunks where a stream can write several at once.
  Object.defineProperty(tls, '_writev', { value: undefined })
}

/** What OpenSSL calls the reasons, in its own names. */
const OUR_VERDICTS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'has expired',
  CERT_NOT_YET_VALID: 'is not valid yet',
  CERT_REVOKED: 'has been revoked',
  ERR_TLS_CERT_ALTNAME_INVALID: 'is for other names',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'is signed by itself and not by the authority',
  SELF_SIGNED_CERT_IN_CHAIN: 'is signed by another authority',
  UNABLE_TO_GET_ISSUER_CERT: 'is signed by another authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'is signed by another authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'is signed by another authority',
  CERT_SIGNATURE_FAILURE: 'is signed by another authority',
  CERT_UNTRUSTED: 'is not trusted',
  INVALID_PURPOSE: 'is not for servers',
  UNABLE_TO_GET_CRL: 'cannot be checked: the revocation list is of another authority',
  CRL_HAS_EXPIRED: 'cannot be checked: the revocation list has expired',
}

function explain(error: NodeJS.ErrnoException, target: TlsTarget, files: TlsCredentials['files']): Error {
  const place = where(target.host, target.port)
  const code = error.code ?? ''
  const verdict = OUR_VERDICTS[code]
  if (verdict !== undefined)
    return refuse(
      'authFailed',
      `the certificate of ${place} ${verdict} (checked by ${files.authority}): ${error.message}; no_verify=1 would skip the check`,
      { cause: error },
    )
  if (/ALERT_(?:BAD_|UNSUPPORTED_)?CERTIFICATE|ALERT_UNKNOWN_CA|ALERT_ACCESS_DENIED|CERTIFICATE_REQUIRED/.test(code))
    return refuse('authFailed', `${place} refused the client certificate ${files.certificate}: ${error.message}`, {
      cause: error,
    })
  return new ConnectionClosed(`TLS with ${place} failed: ${error.message}`, { cause: error })
}

function refused(target: TlsTarget, { cert }: Omit<TlsCredentials, 'files'>, files: TlsCredentials['files']): Error {
  const shown =
    cert === undefined
      ? `no client certificate was shown, since ${files.certificate} or ${files.key} is missing`
      : `${files.certificate} must be signed by the authority the daemon trusts, valid, and allowed by its tls_allowed_dn_list`
  return refuse('authFailed', `${where(target.host, target.port)} did not accept this client: ${shown}`)
}
