/** Builds Ethernet frames with IPv4, IPv6 and ARP for probes: right by default, wrong where a case says so. */
export interface Ends {
  readonly from: { readonly mac: string; readonly address: string }
  /** The next hop's card and the far end's address. */
  readonly to: { readonly mac: string; readonly address: string }
}

export interface IpOptions {
  readonly ttl?: number
  /** Options of the header, a multiple of four bytes. */
  readonly options?: Buffer
  readonly id?: number
  /** Flags and offset of fragmentation as they stand in the header. */
  readonly fragment?: number
}

export interface TcpOptions extends IpOptions {
  readonly flags?: number
  /** The number that is acknowledged. */
  readonly acknowledged?: number
  readonly tcpOptions?: Buffer
}

export const FLAG = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32 } as const
export const DO_NOT_FRAGMENT = 0x4000
const IPV4 = 0x0800
const IPV6 = 0x86dd
const ARP = 0x0806

export function ethernet(from: string, to: string, type: number, payload: Buffer): Buffer {
  return Buffer.concat([macBytes(to), macBytes(from), uint16(type), payload])
}

export function ip({ from, to }: Ends, protocol: number, payload: Buffer, more: IpOptions = {}): Buffer {
  const { ttl = 64, options = Buffer.alloc(0), id = 0, fragment = 0 } = more
  const header = Buffer.alloc(20 + options.length)
  header[0] = 0x40 | (header.length / 4)
  header.writeUInt16BE(header.length + payload.length, 2)
  header.writeUInt16BE(id, 4)
  header.writeUInt16BE(fragment, 6)
  header[8] = ttl
  header[9] = protocol
  addressBytes(from.address).copy(header, 12)
  addressBytes(to.address).copy(header, 16)
  options.copy(header, 20)
  header.writeUInt16BE(checksum(header), 10)
  return ethernet(from.mac, to.mac, IPV4, Buffer.concat([header, payload]))
}

export function udp(ends: Ends, ports: readonly [number, number], payload: Buffer, more: IpOptions = {}): Buffer {
  const datagram = Buffer.concat([uint16(ports[0]), uint16(ports[1]), uint16(8 + payload.length), uint16(0), payload])
  return ip(ends, 17, datagram, more)
}

export function tcp(ends: Ends, ports: readonly [number, number], payload: Buffer, more: TcpOptions = {}): Buffer {
  return ip(ends, 6, tcpSegment(ends, ports, payload, more), more)
}

export function tcpSegment(
  { from, to }: Ends,
  ports: readonly [number, number],
  payload: Buffer,
  { flags = FLAG.syn, acknowledged = 2_000_000, tcpOptions = Buffer.alloc(0) }: TcpOptions = {},
): Buffer {
  const header = Buffer.alloc(20 + tcpOptions.length)
  header.writeUInt16BE(ports[0], 0)
  header.writeUInt16BE(ports[1], 2)
  header.writeUInt32BE(1_000_000, 4)
  header.writeUInt32BE((flags & FLAG.ack) === 0 ? 0 : acknowledged, 8)
  header[12] = (header.length / 4) << 4
  header[13] = flags
  header.writeUInt16BE(64_240, 14)
  tcpOptions.copy(header, 20)
  const segment = Buffer.concat([header, payload])
  const pseudo = [addressBytes(from.address), addressBytes(to.address), uint16(6), uint16(segment.length)]
  segment.writeUInt16BE(checksum(Buffer.concat([...pseudo, segment])), 16)
  return segment
}

export function icmp(ends: Ends, type: number, code: number, rest: Buffer, more: IpOptions = {}): Buffer {
  return ip(ends, 1, icmpMessage(type, code, rest), more)
}

/** @param rest the four bytes of the header's second word, then the data */
function icmpMessage(type: number, code: number, rest: Buffer): Buffer {
  const message = Buffer.concat([Buffer.from([type, code, 0, 0]), rest])
  message.writeUInt16BE(checksum(message), 2)
  return message
}

export function ping(ends: Ends, payload: Buffer, more: IpOptions = {}): Buffer {
  return icmp(ends, 8, 0, Buffer.concat([uint16(0x1234), uint16(1), payload]), more)
}

export function arp(
  sender: { mac: string; address: string },
  target: string,
  more: { op?: number; to?: string } = {},
): Buffer {
  const { op = 1, to = 'ff:ff:ff:ff:ff:ff' } = more
  const head = Buffer.from([0, 1, 8, 0, 6, 4])
  const ends = [macBytes(sender.mac), addressBytes(sender.address), op === 1 ? Buffer.alloc(6) : macBytes(to)]
  return ethernet(sender.mac, to, ARP, Buffer.concat([head, uint16(op), ...ends, addressBytes(target)]))
}

/** An ICMPv6 or other packet over IPv6; addresses as 32 hexadecimal digits. */
export function ip6(
  macs: readonly [from: string, to: string],
  ends: readonly [from: string, to: string],
  next: number,
  payload: Buffer,
): Buffer {
  const [from, to] = [Buffer.from(ends[0], 'hex'), Buffer.from(ends[1], 'hex')]
  const data = Buffer.from(payload)
  if (next === 58) {
    data.writeUInt16BE(0, 2)
    const pseudo = [from, to, uint16(0), uint16(data.length), uint16(0), uint16(next)]
    data.writeUInt16BE(checksum(Buffer.concat([...pseudo, data])), 2)
  }
  const header = Buffer.concat([Buffer.from([0x60, 0, 0, 0]), uint16(data.length), Buffer.from([next, 255]), from, to])
  return ethernet(macs[0], macs[1], IPV6, Buffer.concat([header, data]))
}

/** A question of DNS (RFC 1035) with recursion desired. */
export function dnsQuery(id: number, name: string, type = 1): Buffer {
  const labels = name.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]))
  const head = Buffer.concat([uint16(id), uint16(0x0100), uint16(1), Buffer.alloc(6)])
  return Buffer.concat([head, ...labels, Buffer.from([0]), uint16(type), uint16(1)])
}

/** A client's message of DHCP (RFC 2131): 1 discover, 3 request, 8 inform. */
export function dhcpMessage(mac: string, type: number, more: { client?: string; asked?: string; xid: Buffer }): Buffer {
  const head = Buffer.alloc(236)
  head.set([1, 1, 6, 0])
  more.xid.copy(head, 4, 0, 4)
  if (more.client !== undefined) addressBytes(more.client).copy(head, 12)
  macBytes(mac).copy(head, 28)
  const asked = more.asked === undefined ? [] : [Buffer.from([50, 4]), addressBytes(more.asked)]
  return Buffer.concat([
    head,
    Buffer.from([99, 130, 83, 99, 53, 1, type]),
    ...asked,
    Buffer.from([255]),
    Buffer.alloc(40),
  ])
}

export function uint16(value: number): Buffer {
  return Buffer.from([(value >> 8) & 0xff, value & 0xff])
}

export function addressBytes(address: string): Buffer {
  return Buffer.from(address.split('.').map(Number))
}

export function macBytes(mac: string): Buffer {
  return Buffer.from(mac.replaceAll(':', ''), 'hex')
}

/** RFC 1071. */
function checksum(bytes: Buffer): number {
  let sum = 0
  for (let at = 0; at < bytes.length; at += 2) sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}
