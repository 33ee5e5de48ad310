/** A router that takes people in by WireGuard: its server's side, and the files of its clients (`wireguard-client.ts`). */
import { randomBytes } from 'node:crypto'
import type { HomeContext } from '../../../src/model/template-context.ts'
import { addPeer, homeContext } from '../../../src/router/vpn-clients.ts'
import {
  formatClientFile,
  formatKey,
  formatServerFile,
  publicKeyOf,
  type VpnServer,
  WIREGUARD_DOOR,
} from '../../../src/router/vpn-server.ts'
import { ISP } from './lab.ts'
import { MACHINES } from './places.ts'

export interface WireguardRoad {
  readonly kind: 'wireguard'
  readonly server: VpnServer
  /** What the rules get. */
  readonly home: HomeContext
  /** Of anna, who is there and reaches A, and of bert, who would reach B. */
  readonly file: string
  readonly second: string
  /** Of somebody who knows the server's key and no more. */
  readonly stranger: string
  /** Of anna, in the tunnel. */
  readonly address: string
  readonly port: number
  readonly protocol: 'udp'
}

const newKey = (): string => formatKey(randomBytes(32))

/** The subnet is that of the lab's OpenVPN, so that both have the same probes. */
export function planWireguard(): WireguardRoad {
  const [a, b] = MACHINES
  const port = 51_820
  const empty: VpnServer = {
    vmpkg: 1,
    endpoint: `${ISP.lease}:${port}`,
    port,
    subnet: '10.8.1.0/24',
    privateKey: newKey(),
    peers: [],
  }
  const draw = () => ({ privateKey: newKey(), presharedKey: newKey() })
  const peer = (name: string, { privateKey, presharedKey }: ReturnType<typeof draw>, { uuid }: typeof a) => ({
    name,
    publicKey: publicKeyOf(privateKey),
    presharedKey,
    machines: [uuid],
  })
  const [anna, bert] = [draw(), draw()]
  const one = addPeer(empty, peer('anna', anna, a))
  const two = addPeer(one.server, peer('bert', bert, b))
  return {
    ...wireguardOf(two.server),
    file: formatClientFile(two.server, one.peer, [a], anna),
    second: formatClientFile(two.server, two.peer, [b], bert),
    stranger: formatClientFile(two.server, one.peer, [a], draw()),
    address: one.peer.address,
  }
}

/** As it is with this server: what is the router's side of it. */
export function wireguardOf(server: VpnServer): Pick<WireguardRoad, 'kind' | 'server' | 'home' | 'port' | 'protocol'> {
  const home = homeContext({ ...server, ...WIREGUARD_DOOR }, MACHINES)
  return { kind: 'wireguard', server, home, port: server.port, protocol: 'udp' }
}

/** Of the medium. */
export function wireguardFiles({ server }: Pick<WireguardRoad, 'server'>): Readonly<Record<string, string>> {
  return { 'home.conf': formatServerFile(server) }
}
