/** The chunks of a pack, each checked against its digest before it goes anywhere. */
import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { zstdDecompress } from 'node:zlib'
import { VmpkgError } from '../errors.ts'
import type { Digested } from '../model/digest.ts'
import { readStoredPack } from './folder.ts'
import { CHUNK_BYTES, DIGEST_BYTES, PACK_ENTRY_BYTES, type PackTable } from './point.ts'
import type { Opener } from './sealing.ts'

const decompress = promisify(zstdDecompress)

export interface PackChunk {
  /** Hexadecimal. */
  readonly digest: string
  readonly bytes: Buffer
}

/**
 * @param open for a pack that is encrypted
 * @param wants others are passed over
 * @throws {VmpkgError} `BACKUP_INVALID`
 */
export async function* readPack(
  folder: string,
  { sha256, size, entries }: PackTable & Digested,
  open: Opener | undefined,
  wants: (digest: string) => boolean,
): AsyncGenerator<PackChunk> {
  const stored = await readStoredPack(folder, { sha256, size })
  const frames = open === undefined ? stored : await open(stored, `The pack ${sha256}`)
  for (let at = 0; at < entries.length; at += PACK_ENTRY_BYTES) {
    const digest = entries.toString('hex', at, at + DIGEST_BYTES)
    if (!wants(digest)) continue
    const start = entries.readUInt32BE(at + DIGEST_BYTES)
    const end = start + entries.readUInt32BE(at + DIGEST_BYTES + 4)
    const bytes = await unpack(frames.subarray(start, end), sha256)
    if (createHash('sha256').update(bytes).digest('hex') !== digest) throw bent(sha256)
    yield { digest, bytes }
  }
}

async function unpack(frame: Uint8Array, pack: string): Promise<Buffer> {
  try {
    return await decompress(frame, { maxOutputLength: CHUNK_BYTES })
  } catch (cause) {
    throw bent(pack, cause)
  }
}

function bent(pack: string, cause?: unknown): VmpkgError {
  return new VmpkgError('BACKUP_INVALID', `The pack ${pack} does not hold what the backup says`, { cause })
}
