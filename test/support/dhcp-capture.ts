/** DHCP answers in a capture file of libpcap's classic format with Ethernet frames (RFC 2131, RFC 2132). */

/** The addresses that a server acknowledged to the card with this MAC, in order. */
export function readAcknowledged(capture: Buffer, mac: string): string[] {
  const found: string[] = []
  for (const frame of readFrames(capture)) {
    const bootp = bootpReply(frame)
    if (bootp === undefined || bootp.length < 240) continue
    const client = [...bootp.subarray(28, 34)].map((byte) => byte.toString(16).padStart(2, '0')).join(':')
    if (client === mac && readOption(bootp.subarray(240), 53)?.at(0) === 5)
      found.push([...bootp.subarray(16, 20)].join('.'))
  }
  return found
}

function* readFrames(capture: Buffer): Generator<Buffer> {
  if (capture.length < 24 || capture.readUInt32LE(0) !== 0xa1b2c3d4) throw new Error('this is no capture file')
  for (let offset = 24; offset + 16 <= capture.length; ) {
    const length = capture.readUInt32LE(offset + 8)
    yield capture.subarray(offset + 16, offset + 16 + length)
    offset += 16 + length
  }
}

/** The payload of a frame that is UDP over IPv4 from port 67 to port 68. */
function bootpReply(frame: Buffer): Buffer | undefined {
  if (frame.length < 42 || frame.readUInt16BE(12) !== 0x0800 || frame[23] !== 17) return undefined
  const udp = 14 + ((frame[14] ?? 0) & 0x0f) * 4
  if (frame.length < udp + 8 || frame.readUInt16BE(udp) !== 67 || frame.readUInt16BE(udp + 2) !== 68) return undefined
  return frame.subarray(udp + 8)
}

function readOption(options: Buffer, wanted: number): Buffer | undefined {
  for (let offset = 0; offset < options.length; ) {
    const code = options[offset] ?? 255
    if (code === 255) return undefined
    if (code === 0) {
      offset++
      continue
    }
    const length = options[offset + 1] ?? 0
    if (code === wanted) return options.subarray(offset + 2, offset + 2 + length)
    offset += 2 + length
  }
  return undefined
}
