/**
 * What the first packets of a machine give away of its random generator: the transaction ids of its DHCP client (RFC 2131)
 * and the initial sequence numbers of its TCP connections (RFC 9293), out of frames that a tap heard.
 */
import { type Frame, isIpv4, macOf } from './vpn-site.ts'

export interface FirstPackets {
  /** Hexadecimal, each once, as they came. */
  readonly dhcp: readonly string[]
  /** Of each connection that it opened, by its ports and addresses; repeated SYNs count once. */
  readonly tcp: readonly string[]
}

/** What the card with this MAC sent. */
export function readFirstPackets(frames: readonly Frame[], mac: string): FirstPackets {
  const dhcp = new Set<string>()
  const tcp = new Map<string, string>()
  for (const { bytes } of frames) {
    if (!isIpv4(bytes) || macOf(bytes) !== mac) continue
    const payload = 14 + ((bytes[14] ?? 0) & 0x0f) * 4
    if (bytes.length < payload + 8) continue
    const ports = `${bytes.readUInt16BE(payload)}-${bytes.readUInt16BE(payload + 2)}`
    if (bytes[23] === 17 && ports === '68-67' && bytes.length >= payload + 16)
      dhcp.add(bytes.toString('hex', payload + 12, payload + 16))
    if (bytes[23] === 6 && bytes.length >= payload + 20 && ((bytes[payload + 13] ?? 0) & 0x12) === 0x02)
      tcp.set(`${bytes.toString('hex', 26, 34)} ${ports}`, bytes.toString('hex', payload + 4, payload + 8))
  }
  return { dhcp: [...dhcp], tcp: [...tcp.values()] }
}
