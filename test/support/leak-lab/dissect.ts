/** What a captured frame says, as far as the oracle asks. */
export interface Packet {
  readonly source: string
  readonly target: string
  readonly type: number
  readonly arp?: { readonly op: number; readonly sender: string; readonly asked: string }
  readonly ip?: Ip
}

export interface Ip {
  readonly source: string
  readonly target: string
  readonly protocol: number
  readonly ttl: number
  readonly isFragment: boolean
  readonly hasOptions: boolean
  /** TCP and UDP only. */
  readonly ports?: readonly [source: number, target: number]
  /** From the protocol's header on. */
  readonly payload: Buffer
}

export function dissect(bytes: Buffer): Packet {
  const mac = (at: number): string =>
    [...bytes.subarray(at, at + 6)].map((byte) => byte.toString(16).padStart(2, '0')).join(':')
  const type = bytes.length < 14 ? 0 : bytes.readUInt16BE(12)
  const base = { source: mac(6), target: mac(0), type }
  if (type === 0x0806 && bytes.length >= 42)
    return { ...base, arp: { op: bytes.readUInt16BE(20), sender: address(bytes, 28), asked: address(bytes, 38) } }
  if (type === 0x0800 && bytes.length >= 34) return { ...base, ip: readIp(bytes.subarray(14)) }
  return base
}

function readIp(bytes: Buffer): Ip {
  const header = ((bytes[0] ?? 0) & 0x0f) * 4
  const protocol = bytes[9] ?? 0
  const payload = bytes.subarray(header)
  const hasPorts = (protocol === 6 || protocol === 17) && payload.length >= 4
  return {
    source: address(bytes, 12),
    target: address(bytes, 16),
    protocol,
    ttl: bytes[8] ?? 0,
    isFragment: (bytes.readUInt16BE(6) & 0x3fff) !== 0,
    hasOptions: header > 20,
    ...(hasPorts ? { ports: [payload.readUInt16BE(0), payload.readUInt16BE(2)] as const } : {}),
    payload,
  }
}

/** One line for a message. */
export function describe(bytes: Buffer): string {
  const { source, target, type, arp, ip } = dissect(bytes)
  const way = `${source} > ${target}`
  if (arp !== undefined) return `${way} ARP ${arp.op === 1 ? 'who has' : 'reply to'} ${arp.asked} from ${arp.sender}`
  if (ip === undefined) return `${way} type 0x${type.toString(16).padStart(4, '0')}`
  const ports = ip.ports === undefined ? '' : ` ports ${ip.ports.join('>')}`
  return `${way} IPv4 ${ip.source} > ${ip.target} protocol ${ip.protocol}${ports} ttl ${ip.ttl}`
}

function address(bytes: Buffer, at: number): string {
  return [...bytes.subarray(at, at + 4)].join('.')
}
