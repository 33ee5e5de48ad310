/**
 * A key and the certificate that it signs for itself, by the `openssl` of the host: Node reads X.509 and makes none. The key
 * goes from its standard output into memory; nothing of it is on a command line, and no file is written.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { VmpkgError } from '../errors.ts'
import { checkTools } from '../host/tools.ts'
import type { Processes } from '../ports.ts'
import type { OpenvpnKeys } from '../router/openvpn-server.ts'

/** Twenty years: who is let in is for the list to say, and a server's certificate that ends would lock everybody out. */
const DAYS = 7300
/** Without a word of the host's own configuration. */
const CONFIG = (name: string, usage: 'server' | 'client'): string => `[req]
prompt = no
distinguished_name = name
x509_extensions = use
[name]
CN = ${name}
[use]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = ${usage}Auth
`
const ARGUMENTS = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-sha256']

/** @param name of letters, digits and hyphens @throws {VmpkgError} `TOOL_MISSING`, `HOST_UNSUPPORTED` where openssl makes none */
export async function makeCertificate(
  { name, usage }: { readonly name: string; readonly usage: 'server' | 'client' },
  processes: Processes,
  signal: AbortSignal,
): Promise<OpenvpnKeys> {
  await checkTools(['openssl'])
  const argv = [...ARGUMENTS, '-days', String(DAYS), '-config', '-', '-keyout', '-', '-out', '-']
  const { exitCode, stdout, stderr } = await processes.run('openssl', argv, { input: CONFIG(name, usage), signal })
  try {
    if (exitCode !== 0) throw new Error(stderr.trim().split('\n').at(-1))
    const key = createPrivateKey(stdout)
    const certificate = new X509Certificate(stdout.slice(stdout.indexOf('-----BEGIN CERTIFICATE')))
    if (!certificate.checkPrivateKey(key) || certificate.subject !== `CN=${name}`) throw new Error('it is another one')
    return {
      certificate: certificate.raw.toString('base64'),
      privateKey: key.export({ type: 'pkcs8', format: 'der' }).toString('base64'),
    }
  } catch (cause) {
    throw new VmpkgError('HOST_UNSUPPORTED', `openssl makes no certificate: ${reasonOf(cause)}`, {
      hint: 'It takes OpenSSL 1.1.1 or newer: openssl version.',
    })
  }
}

/** What Node says of text that it cannot read holds none of it. */
function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message.slice(0, 200) : 'unknown'
}
