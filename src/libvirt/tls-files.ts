/**
 * Certificates and keys of a TLS client, from where libvirt looks for them (virnettlsconfig): one folder given by
 * `pkipath`, else ~/.pki/libvirt for who is not root, file by file, else /etc/pki.
 */
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Surroundings } from './daemon-sockets.ts'
import { refuse } from './error.ts'
import type { TlsTarget } from './uri.ts'

interface TlsFiles {
  readonly authority: string
  readonly revoked: string
  readonly certificate: string
  readonly key: string
}

export interface TlsCredentials {
  readonly ca: Buffer
  readonly crl?: Buffer
  readonly cert?: Buffer
  readonly key?: Buffer
  readonly files: TlsFiles
}

const SYSTEM: TlsFiles = {
  authority: '/etc/pki/CA/cacert.pem',
  revoked: '/etc/pki/CA/cacrl.pem',
  certificate: '/etc/pki/libvirt/clientcert.pem',
  key: '/etc/pki/libvirt/private/clientkey.pem',
}

export function tlsFiles(pkiPath: string | undefined, around: Surroundings): TlsFiles {
  const inFolder = (folder: string): TlsFiles => ({
    authority: join(folder, 'cacert.pem'),
    revoked: join(folder, 'cacrl.pem'),
    certificate: join(folder, 'clientcert.pem'),
    key: join(folder, 'clientkey.pem'),
  })
  if (pkiPath !== undefined) return inFolder(pkiPath)
  if (around.uid === 0) return SYSTEM
  const own = inFolder(`${around.home}/.pki/libvirt`)
  const hasPair = around.exists(own.certificate) && around.exists(own.key)
  return {
    authority: around.exists(own.authority) ? own.authority : SYSTEM.authority,
    revoked: around.exists(own.revoked) ? own.revoked : SYSTEM.revoked,
    certificate: hasPair ? own.certificate : SYSTEM.certificate,
    key: hasPair ? own.key : SYSTEM.key,
  }
}

/**
 * Reads them. The authority is needed; a missing revocation list or client certificate is not sent, and the daemon may
 * refuse the client for it.
 * @throws {LibvirtError} `systemError`, naming the file.
 */
export async function readTlsFiles(
  { pkiPath, sanity }: Pick<TlsTarget, 'pkiPath' | 'sanity'>,
  around: Surroundings,
): Promise<TlsCredentials> {
  const files = tlsFiles(pkiPath, around)
  const [ca, crl, cert, key] = await Promise.all([
    read('CA certificate', files.authority),
    read('CA revocation list', files.revoked),
    read('client certificate', files.certificate),
    read('private key', files.key),
  ])
  if (ca === undefined)
    throw refuse(
      'systemError',
      `the CA certificate ${files.authority} is missing; TLS cannot know the daemon without it (pkipath= names another folder, +ssh needs none)`,
    )
  if (sanity) {
    check('CA certificate', files.authority, ca)
    if (cert !== undefined && key !== undefined) check('client certificate', files.certificate, cert)
  }
  return {
    files,
    ca,
    ...(crl === undefined ? {} : { crl }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
  }
}

async function read(what: string, path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw refuse('systemError', `cannot read the ${what} ${path}: ${message}`, { cause: error })
  }
}

/** What the daemon would refuse later and with fewer words. */
function check(what: string, path: string, pem: Buffer): void {
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(pem)
  } catch (error) {
    throw refuse('systemError', `the ${what} ${path} is no certificate in PEM form`, { cause: error })
  }
  const now = Date.now()
  if (Date.parse(certificate.validTo) < now)
    throw refuse('systemError', `the ${what} ${path} has expired on ${certificate.validTo}`)
  if (Date.parse(certificate.validFrom) > now)
    throw refuse('systemError', `the ${what} ${path} is not valid before ${certificate.validFrom}`)
  if (what === 'CA certificate' && !certificate.ca)
    throw refuse('systemError', `the ${what} ${path} is not that of an authority (its basic constraints say so)`)
}
