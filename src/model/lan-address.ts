/**
 * Which address a client has on a router's LAN: the last byte of its card's MAC is the last byte of its address. The router
 * keeps to that without being told of any client, and the filter before the client's port can name the address.
 */
import { formatAddress, parseSubnet } from './subnet.ts'

/** Below are the routers, above is what DHCP gives to cards that vmpkg did not plan. */
const FIRST = 32
const LAST = 223

/** Last bytes that a planned card may have. */
export function clientNumbers(): readonly number[] {
  return Array.from({ length: LAST - FIRST + 1 }, (_, index) => FIRST + index)
}

/** `undefined` for a card that has none of its own. @throws {VmpkgError} `PARAMETER_INVALID` */
export function clientAddress(cidr: string, mac: string): string | undefined {
  const last = Number.parseInt(mac.slice(-2), 16)
  return last >= FIRST && last <= LAST ? formatAddress(parseSubnet(cidr).address + last) : undefined
}
