/** Reads the untranslated messages of a gettext catalogue (`.mo`, GNU gettext manual 10.3, little-endian). */
export function readMessageIds(bytes: Buffer): string[] {
  const count = bytes.readUInt32LE(8)
  const table = bytes.readUInt32LE(12)
  return Array.from({ length: count }, (_, index) => {
    const length = bytes.readUInt32LE(table + 8 * index)
    const offset = bytes.readUInt32LE(table + 8 * index + 4)
    return bytes.subarray(offset, offset + length).toString()
  }).flatMap((id) => id.split('\0'))
}
