/**
 * Takes the chunks of a backup, leaves out those that the folder has, and writes the others packed. A pack is zstd frames
 * one behind the other, one a chunk, so that `zstd --decompress` reads it too; with encryption it is one OpenPGP message.
 */
import { promisify } from 'node:util'
import { constants, zstdCompress } from 'node:zlib'
import type { Digested } from '../model/digest.ts'
import { writePack } from './folder.ts'
import { DIGEST_BYTES, PACK_ENTRY_BYTES, type PackTable, POINT_LIMITS } from './point.ts'
import type { Sealer } from './sealing.ts'

/** Fast rather than small: a guest waits for its copy. */
const LEVEL = 3
const compress = promisify(zstdCompress)

/** A pack that the folder has, with its table. */
export interface KnownPack extends Digested {
  readonly entries: Buffer
}

export class PackWriter {
  readonly #folder: string
  readonly #sealer: Sealer
  /** Packs by the digests of their chunks, in hexadecimal. */
  readonly #where = new Map<string, KnownPack>()
  readonly #used = new Map<string, KnownPack>()
  #frames: Buffer[] = []
  #entries: Buffer[] = []
  #waiting = new Set<string>()
  #bytes = 0
  #added = 0

  constructor(folder: string, sealer: Sealer, known: Iterable<KnownPack>) {
    this.#folder = folder
    this.#sealer = sealer
    for (const pack of known) this.#learn(pack)
  }

  /** Bytes of packs that were written. */
  get addedBytes(): number {
    return this.#added
  }

  /** Whether the folder has it; it then counts as needed. */
  use(digest: string): boolean {
    if (this.#waiting.has(digest)) return true
    const pack = this.#where.get(digest)
    if (pack !== undefined) this.#used.set(pack.sha256, pack)
    return pack !== undefined
  }

  async add(digest: Buffer, bytes: Uint8Array): Promise<void> {
    if (this.use(digest.toString('hex'))) return
    const frame = await compress(bytes, { params: { [constants.ZSTD_c_compressionLevel]: LEVEL } })
    const entry = Buffer.alloc(PACK_ENTRY_BYTES)
    digest.copy(entry)
    entry.writeUInt32BE(this.#bytes, DIGEST_BYTES)
    entry.writeUInt32BE(frame.length, DIGEST_BYTES + 4)
    this.#frames.push(frame)
    this.#entries.push(entry)
    this.#waiting.add(digest.toString('hex'))
    this.#bytes += frame.length
    if (this.#bytes >= POINT_LIMITS.pack) await this.#close()
  }

  /** The packs that this backup needs. */
  async finish(): Promise<readonly (Digested & PackTable)[]> {
    if (this.#bytes > 0) await this.#close()
    return [...this.#used.values()].toSorted((a, b) => (a.sha256 < b.sha256 ? -1 : 1))
  }

  async #close(): Promise<void> {
    const sealed = await this.#sealer.seal(Buffer.concat(this.#frames))
    const pack: KnownPack = { ...(await writePack(this.#folder, sealed)), entries: Buffer.concat(this.#entries) }
    this.#added += pack.size
    this.#used.set(pack.sha256, pack)
    this.#learn(pack)
    this.#frames = []
    this.#entries = []
    this.#waiting = new Set()
    this.#bytes = 0
  }

  #learn(pack: KnownPack): void {
    for (let at = 0; at < pack.entries.length; at += PACK_ENTRY_BYTES) {
      this.#where.set(pack.entries.toString('hex', at, at + DIGEST_BYTES), pack)
    }
  }
}
