/**
 * Pre-authentication encoding: the bytes that are really signed (formats 2.1). Type and payload both carry their length,
 * so a signature over one kind of document can never be shown as one over another. Built as DSSE's, under our own name.
 */

/** Every kind of document we sign; changing what a kind means takes a new name. */
export const PAYLOAD_TYPES = {
  envelope: 'application/vnd.vmpkg.envelope+json',
  root: 'application/vnd.vmpkg.root+json',
  line: 'application/vnd.vmpkg.line+json',
  channels: 'application/vnd.vmpkg.channels+json',
  submission: 'application/vnd.vmpkg.submission+json',
} as const

export type PayloadType = keyof typeof PAYLOAD_TYPES

/** `vmpkg-envelope 1 <bytes of type> <type> <bytes of payload> <payload>`, lengths in decimal. */
export function preAuthEncoding(type: PayloadType, payload: Uint8Array): Uint8Array {
  const name = PAYLOAD_TYPES[type]
  const head = new TextEncoder().encode(`vmpkg-envelope 1 ${name.length} ${name} ${payload.length} `)
  const encoded = new Uint8Array(head.length + payload.length)
  encoded.set(head)
  encoded.set(payload, head.length)
  return encoded
}
