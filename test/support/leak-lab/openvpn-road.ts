/** A router that takes people in by OpenVPN: its server's side, and the files of its clients (`openvpn-client.ts`). */
import { execFileSync } from 'node:child_process'
import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { HomeContext } from '../../../src/model/template-context.ts'
import { systemProcesses } from '../../../src/node/processes.ts'
import { makeCertificate } from '../../../src/operations/certificate.ts'
import {
  certificateName,
  formatOpenvpnClientFile,
  formatOpenvpnClients,
  formatOpenvpnConfig,
  NAME_BYTES,
  OPENVPN_DEVICE,
  type OpenvpnKeys,
  type OpenvpnServer,
  TLS_CRYPT_BYTES,
} from '../../../src/router/openvpn-server.ts'
import { addPeer, homeContext, type Reachable } from '../../../src/router/vpn-clients.ts'
import { ISP } from './lab.ts'
import { MACHINES } from './places.ts'

export interface OpenvpnRoad {
  readonly kind: 'openvpn'
  readonly server: OpenvpnServer
  /** What the rules get. */
  readonly home: HomeContext
  /** Of anna, and of bert, who comes in where a case asks him to. */
  readonly file: string
  readonly second: string
  /** Of those who have the server's key of `tls-crypt` and certificates with bert's name in them: by themselves, and by anna's key. */
  readonly forged: readonly string[]
  /** The certificate of somebody who is not invited yet. */
  readonly third: string
  /** Of the client, in the tunnel. */
  readonly address: string
  readonly port: number
  readonly protocol: 'tcp' | 'udp'
}

const [A, B] = MACHINES

/** A server with two clients: anna, who is there and reaches A, and bert, who would reach B. */
export async function planOpenvpn(protocol: OpenvpnRoad['protocol'] = 'tcp'): Promise<OpenvpnRoad> {
  const { signal } = new AbortController()
  const make = (name: string, usage: 'server' | 'client') => makeCertificate({ name, usage }, systemProcesses, signal)
  const ownName = (name: string): string => certificateName(name, randomBytes(NAME_BYTES))
  const bertsName = ownName('bert')
  const own = await make('server', 'server')
  const anna = await make(ownName('anna'), 'client')
  const [bert, forger] = [await make(bertsName, 'client'), await make(bertsName, 'client')]
  const { certificate: third } = await make(ownName('carl'), 'client')
  const place = { vmpkg: 1, endpoint: `${ISP.lease}:443`, protocol, port: 443, subnet: '10.8.1.0/24' } as const
  const tlsCrypt = randomBytes(TLS_CRYPT_BYTES).toString('base64')
  const empty: OpenvpnServer = { ...place, ...own, tlsCrypt, peers: [] }
  const peer = (name: string, { certificate }: { certificate: string }, { uuid }: Reachable) => ({
    name,
    certificate,
    machines: [uuid],
  })
  const one = addPeer(empty, peer('anna', anna, A))
  const { server } = addPeer(one.server, peer('bert', bert, B))
  return {
    ...openvpnOf(server),
    file: formatOpenvpnClientFile(server, { name: 'anna' }, [A], anna),
    second: formatOpenvpnClientFile(server, { name: 'bert' }, [B], bert),
    forged: [forger, signedBy(anna, bertsName)].map((keys) =>
      formatOpenvpnClientFile(server, { name: 'bert' }, [B], keys),
    ),
    third,
    address: one.peer.address,
  }
}

/** A key and a certificate, which somebody who is let in vouches for. */
function signedBy({ certificate, privateKey }: OpenvpnKeys, name: string): OpenvpnKeys {
  const folder = mkdtempSync(join(tmpdir(), 'vmpkg-leak-'))
  const file = (own: string): string => join(folder, own)
  const run = (...argv: readonly string[]): unknown => execFileSync('openssl', argv, { stdio: 'pipe' })
  try {
    const issuer = new X509Certificate(Buffer.from(certificate, 'base64'))
    const key = createPrivateKey({ key: Buffer.from(privateKey, 'base64'), format: 'der', type: 'pkcs8' })
    writeFileSync(file('ca.crt'), issuer.toString())
    writeFileSync(file('ca.key'), key.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
    writeFileSync(file('use'), 'basicConstraints = critical, CA:FALSE\nextendedKeyUsage = clientAuth\n')
    const own = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', file('own.key')]
    run('req', '-new', ...own, '-subj', `/CN=${name}`, '-out', file('own.csr'))
    const by = ['-CA', file('ca.crt'), '-CAkey', file('ca.key'), '-set_serial', '7', '-extfile', file('use')]
    run('x509', '-req', '-in', file('own.csr'), ...by, '-out', file('own.crt'))
    return {
      certificate: new X509Certificate(readFileSync(file('own.crt'))).raw.toString('base64'),
      privateKey: createPrivateKey(readFileSync(file('own.key')))
        .export({ type: 'pkcs8', format: 'der' })
        .toString('base64'),
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** As it is with this server: what is the router's side of it. */
export function openvpnOf(server: OpenvpnServer): Pick<OpenvpnRoad, 'kind' | 'server' | 'home' | 'port' | 'protocol'> {
  const { port, protocol } = server
  const home = homeContext({ ...server, device: OPENVPN_DEVICE }, MACHINES)
  return { kind: 'openvpn', server, home, port, protocol }
}

/** Of the medium. */
export function openvpnFiles({ server, home }: Pick<OpenvpnRoad, 'server' | 'home'>): Readonly<Record<string, string>> {
  return { 'openvpn.conf': formatOpenvpnConfig(server), 'openvpn.clients': formatOpenvpnClients(server, home) }
}
