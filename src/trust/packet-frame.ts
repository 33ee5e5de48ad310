/**
 * Where a signature packet ends, by its framing alone: everything else is for the library, which skips packets that it does
 * not know and reads lengths that go on.
 *
 * Source: RFC 9580 4.2. Test oracle: `gpgv`, through those who use it. Pure; the bytes are hostile.
 */

export interface PacketFrame {
  /** Bytes before the body. */
  readonly header: number
  /** Bytes of the body, as the header says. */
  readonly length: number
}

/** `undefined` for what is no signature packet, a partial or indeterminate length, and a header that is cut off. */
export function readSignatureFrame(bytes: Uint8Array, at: number): PacketFrame | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, bytes.length - at)
  try {
    return frameAt(view)
  } catch {
    return undefined // beyond the last byte
  }
}

function frameAt(view: DataView): PacketFrame | undefined {
  switch (view.getUint8(0)) {
    case 0x88:
      return { header: 2, length: view.getUint8(1) }
    case 0x89:
      return { header: 3, length: view.getUint16(1) }
    case 0x8a:
      return { header: 5, length: view.getUint32(1) }
    case 0xc2:
      return newFrame(view)
    default:
      return undefined
  }
}

function newFrame(view: DataView): PacketFrame | undefined {
  const first = view.getUint8(1)
  if (first < 192) return { header: 2, length: first }
  if (first < 224) return { header: 3, length: ((first - 192) << 8) + view.getUint8(2) + 192 }
  return first === 255 ? { header: 6, length: view.getUint32(2) } : undefined
}
