/**
 * Base64 with padding, in its one canonical spelling: no blanks, no stray bits in the last digit, so that a signed file
 * has exactly one form. Source: RFC 4648, section 4.
 */

/** The bytes, or `undefined` where `text` is empty or not the canonical spelling of any. */
export function fromBase64(text: string): Uint8Array | undefined {
  const buffer = Buffer.from(text, 'base64')
  if (text === '' || buffer.toString('base64') !== text) return undefined
  return new Uint8Array(buffer)
}

export function toBase64(data: Uint8Array): string {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64')
}
