/** An authority of a test's own and certificates signed by it, made by openssl as PEM files. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Authority {
  /** Its certificate. */
  readonly file: string
  /** Makes NAMEcert.pem and NAMEkey.pem in a folder. */
  issue(folder: string, name: 'client' | 'server', options?: CertificateOptions): void
}

/** A revocation list of an authority. */
export function makeRevocationList(authorityFolder: string, certificate: string, file: string): void {
  const [config, index] = [join(authorityFolder, 'ca.conf'), join(authorityFolder, 'index')]
  writeFileSync(index, '')
  writeFileSync(config, `[ca]\ndefault_ca=c\n[c]\ndatabase=${index}\ndefault_md=sha256\ndefault_crl_days=1\n`)
  const own = [
    '-config',
    config,
    '-cert',
    join(authorityFolder, 'cacert.pem'),
    '-keyfile',
    join(authorityFolder, 'cakey.pem'),
  ]
  openssl('ca', ...own, '-revoke', certificate)
  openssl('ca', ...own, '-gencrl', '-out', file)
}

interface CertificateOptions {
  /** Subject alternative names, as `DNS:localhost`. */
  readonly names?: readonly string[]
  /** It ended yesterday. */
  readonly isExpired?: boolean
}

export function makeAuthority(folder: string, name = 'test authority'): Authority {
  mkdirSync(folder)
  const [file, key] = [join(folder, 'cacert.pem'), join(folder, 'cakey.pem')]
  const own = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const purpose = ['-addext', 'keyUsage=critical,keyCertSign,cRLSign']
  openssl('req', '-x509', ...own, '-days', '2', '-subj', `/CN=${name}`, ...purpose, '-keyout', key, '-out', file)
  return {
    file,
    issue(target, role, { names = [], isExpired = false } = {}) {
      const [certificate, ownKey] = [join(target, `${role}cert.pem`), join(target, `${role}key.pem`)]
      const [request, extensions] = [join(folder, 'request.pem'), join(folder, 'extensions')]
      const lines = [
        'basicConstraints=critical,CA:FALSE',
        'keyUsage=critical,digitalSignature,keyEncipherment',
        `extendedKeyUsage=${role}Auth`,
        ...(names.length === 0 ? [] : [`subjectAltName=${names.join(',')}`]),
      ]
      writeFileSync(extensions, `${lines.join('\n')}\n`)
      openssl('req', ...own, '-subj', `/CN=test ${role}`, '-keyout', ownKey, '-out', request)
      const signer = ['-CA', file, '-CAkey', key, '-CAcreateserial', '-days', isExpired ? '-1' : '2']
      openssl('x509', '-req', '-in', request, ...signer, '-extfile', extensions, '-out', certificate)
    },
  }
}

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' })
}
