/** Frames of a capture in the format pcapng, as `server.py` writes it: Ethernet, nanoseconds, with directions. */
import { readFile } from 'node:fs/promises'

export interface Frame {
  readonly bytes: Buffer
  /** As it was on the wire; `bytes` may be cut. */
  readonly length: number
  /** Nanoseconds since 1970. */
  readonly at: bigint
  /** Sent by the side where the tap is, seen from there. */
  readonly isOutgoing: boolean
}

const ENHANCED_PACKET = 6

export async function readCapture(file: string): Promise<readonly Frame[]> {
  const data = await readFile(file)
  if (data.length < 28 || data.readUInt32LE(0) !== 0x0a0d0d0a || data.readUInt32LE(8) !== 0x1a2b3c4d)
    throw new Error(`${file} is no capture in the format pcapng`)
  const frames: Frame[] = []
  for (let offset = 0; offset + 12 <= data.length; ) {
    const [type, size] = [data.readUInt32LE(offset), data.readUInt32LE(offset + 4)]
    if (size < 12 || offset + size > data.length) throw new Error(`${file} is cut off`)
    if (type === ENHANCED_PACKET) frames.push(readFrame(data.subarray(offset, offset + size)))
    offset += size
  }
  return frames
}

function readFrame(block: Buffer): Frame {
  const kept = block.readUInt32LE(20)
  const options = 28 + Math.ceil(kept / 4) * 4
  return {
    bytes: block.subarray(28, 28 + kept),
    length: block.readUInt32LE(24),
    at: (BigInt(block.readUInt32LE(12)) << 32n) | BigInt(block.readUInt32LE(16)),
    isOutgoing: (block.readUInt32LE(options + 4) & 3) === 2, // option 2, the flags: 1 is inbound, 2 outbound
  }
}
