/** An answer's body, up to a size: into memory, or straight to a file, so that a pack of any size takes none. */
import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Sha256 } from '../model/digest.ts'

/** @param tooMuch what is thrown at the first byte beyond `maxBytes` @returns the digest of what was written */
export async function saveBody(
  body: Readable,
  { file, maxBytes, tooMuch }: { readonly file: string; readonly maxBytes: number; readonly tooMuch: () => Error },
): Promise<Sha256> {
  await mkdir(dirname(file), { recursive: true })
  const hash = createHash('sha256')
  let size = 0
  await pipeline(
    body,
    async function* measure(pieces: AsyncIterable<Buffer>) {
      for await (const piece of pieces) {
        size += piece.length
        if (size > maxBytes) throw tooMuch()
        hash.update(piece)
        yield piece
      }
    },
    createWriteStream(file),
  )
  return hash.digest('hex') as Sha256
}

/** @param tooMuch what is thrown at the first byte beyond `maxBytes`; the rest is not read */
export async function collectBody(
  body: Readable,
  { maxBytes, tooMuch }: { readonly maxBytes: number; readonly tooMuch: () => Error },
): Promise<Buffer> {
  const pieces: Buffer[] = []
  body.on('error', () => {}) // the loop throws it; one that comes later says nothing about the answer
  let size = 0
  for await (const piece of body as AsyncIterable<Buffer>) {
    size += piece.length
    if (size > maxBytes) {
      body.destroy()
      throw tooMuch()
    }
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}
