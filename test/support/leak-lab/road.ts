/** A router that takes people in, with somebody there who is a client of its server. */
import { type OpenvpnRoad, openvpnFiles } from './openvpn-road.ts'
import { type WireguardRoad, wireguardFiles } from './wireguard-road.ts'

export type Road = OpenvpnRoad | WireguardRoad

/** Of the medium. */
export function roadFiles(road: Road): Readonly<Record<string, string>> {
  return road.kind === 'openvpn' ? openvpnFiles(road) : wireguardFiles(road)
}
