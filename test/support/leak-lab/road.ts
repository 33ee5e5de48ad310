/** A router that takes people in by OpenVPN: its server's side, and the file of one of its clients (`road-client.ts`). */
import { randomBytes } from 'node:crypto'
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
  type OpenvpnServer,
  TLS_CRYPT_BYTES,
} from '../../../src/router/openvpn-server.ts'
import { addPeer, homeContext, type Reachable } from '../../../src/router/vpn-clients.ts'
import { CLIENTS, ISP } from './lab.ts'

export interface Road {
  readonly server: OpenvpnServer
  /** What the rules get. */
  readonly home: HomeContext
  /** Of anna, and of bert, who comes in where a case asks him to. */
  readonly file: string
  readonly second: string
  /** Of somebody who has the server's key of `tls-crypt` and a certificate of his own, with bert's name in it. */
  readonly forged: string
  /** The certificate of somebody who is not invited yet. */
  readonly third: string
  /** Of the client, in the tunnel. */
  readonly address: string
  readonly port: number
}

const MACHINES: readonly Reachable[] = (['a', 'b'] as const).map((name) => ({
  uuid: `6f1c1a58-3c3e-4c39-8b1c-0a3cf1a4a00${name}`,
  name,
  address: CLIENTS[name].address,
}))
const [A, B] = MACHINES

/** A server with two clients: anna, who is there and reaches A, and bert, who would reach B. */
export async function planRoad(): Promise<Road> {
  if (A === undefined || B === undefined) throw new TypeError('no machines')
  const { signal } = new AbortController()
  const make = (name: string, usage: 'server' | 'client') => makeCertificate({ name, usage }, systemProcesses, signal)
  const ownName = (name: string): string => certificateName(name, randomBytes(NAME_BYTES))
  const bertsName = ownName('bert')
  const own = await make('server', 'server')
  const anna = await make(ownName('anna'), 'client')
  const [bert, forger] = [await make(bertsName, 'client'), await make(bertsName, 'client')]
  const { certificate: third } = await make(ownName('carl'), 'client')
  const place = { vmpkg: 1, endpoint: `${ISP.lease}:443`, protocol: 'tcp', port: 443, subnet: '10.8.1.0/24' } as const
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
    ...roadOf(server),
    file: formatOpenvpnClientFile(server, { name: 'anna' }, [A], anna),
    second: formatOpenvpnClientFile(server, { name: 'bert' }, [B], bert),
    forged: formatOpenvpnClientFile(server, { name: 'bert' }, [B], forger),
    third,
    address: one.peer.address,
  }
}

/** As it is with this server: what is the router's side of it. */
export function roadOf(server: OpenvpnServer): Pick<Road, 'server' | 'home' | 'port'> {
  return { server, home: homeContext({ ...server, device: OPENVPN_DEVICE }, MACHINES), port: server.port }
}

/** Of the medium. */
export function roadFiles({ server, home }: Pick<Road, 'server' | 'home'>): Readonly<Record<string, string>> {
  return { 'openvpn.conf': formatOpenvpnConfig(server), 'openvpn.clients': formatOpenvpnClients(server, home) }
}
