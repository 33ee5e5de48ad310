/**
 * Bytes of frames that have arrived and are not yet in the image: without it a kill in the middle of a frame loses the
 * frame's beginning, and all frames that still wait for a thread (threats D01). One slot for each frame on its way, taken
 * again when the frame is done; what is in a slot is unverified like everything that arrives, its digest decides later.
 *
 *     slot: "vmpframe", 32 bytes SHA-256 of the frame, u32 bytes that are here, then from 64 on those bytes
 *
 * Nothing here is made durable and no failure of it counts: losing it costs some bytes of the line.
 */
import { writeSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { openUnfinished } from '../durable-file.ts'
import type { Frame } from './transport-index.ts'

const MAGIC = Buffer.from('vmpframe')
const HEADER_BYTES = 64
const DIGEST_AT = 8
const LENGTH_AT = 40
/** More frames than are on their way at a time; what is beyond goes unspooled. */
const MAX_SLOTS = 64

export class FrameSpool implements AsyncDisposable {
  readonly #file: FileHandle
  readonly #slotBytes: number
  readonly #taken: Map<string, { readonly slot: number; length: number }>
  readonly #free: number[]
  #slots: number
  #isBroken = false

  private constructor(file: FileHandle, slotBytes: number, slots: readonly (string | undefined)[], lengths: number[]) {
    this.#file = file
    this.#slotBytes = slotBytes
    this.#slots = slots.length
    this.#free = slots.flatMap((key, slot) => (key === undefined ? [slot] : []))
    const taken = slots.flatMap((key, slot) => (key === undefined ? [] : [[key, slot] as const]))
    this.#taken = new Map(taken.map(([key, slot]) => [key, { slot, length: lengths[slot] ?? 0 }]))
  }

  /**
   * @param frames those that are still wanted; what is there of others is given up
   * @param all also those that may take their place
   */
  static async open(path: string, frames: Iterable<Frame>, all: Iterable<Frame> = frames): Promise<FrameSpool> {
    const file = await openUnfinished(path)
    let largest = 0
    for (const { size } of all) largest = Math.max(largest, size)
    const slotBytes = HEADER_BYTES + largest
    const slots: (string | undefined)[] = []
    const lengths: number[] = []
    const header = Buffer.alloc(HEADER_BYTES)
    const { size } = await file.stat()
    for (let slot = 0; slot < MAX_SLOTS && slot * slotBytes < size; slot++) {
      const { bytesRead } = await file.read(header, 0, HEADER_BYTES, slot * slotBytes)
      const isSlot = bytesRead === HEADER_BYTES && header.subarray(0, DIGEST_AT).equals(MAGIC)
      const key = header.toString('hex', DIGEST_AT, LENGTH_AT)
      const length = header.readUInt32LE(LENGTH_AT)
      const isUsable = isSlot && !slots.includes(key) && length > 0
      slots.push(isUsable ? key : undefined)
      lengths.push(isUsable ? length : 0)
    }
    const wanted = findSizes(frames, slots)
    const kept = slots.map((key, slot) => ((lengths[slot] ?? 0) <= (wanted.get(key ?? '') ?? 0) ? key : undefined))
    return new FrameSpool(file, slotBytes, kept, lengths)
  }

  get isEmpty(): boolean {
    return this.#taken.size === 0
  }

  /** Bytes that are here of a frame's beginning. */
  lengthOf(frame: Frame): number {
    return this.#taken.get(keyOf(frame))?.length ?? 0
  }

  async read(frame: Frame): Promise<Uint8Array> {
    const { slot, length } = this.#taken.get(keyOf(frame)) ?? { slot: 0, length: 0 }
    const bytes = new Uint8Array(length)
    await this.#file.read(bytes, 0, length, slot * this.#slotBytes + HEADER_BYTES)
    return bytes
  }

  /** Takes bytes of a frame, the first of which is at `offset` in it. What is here already is passed over. */
  add(frame: Frame, offset: number, bytes: Uint8Array): void {
    if (this.#isBroken) return
    const key = keyOf(frame)
    const known = this.#taken.get(key)
    if (known === undefined && this.#free.length === 0 && this.#slots >= MAX_SLOTS) return
    const entry = known ?? { slot: this.#free.pop() ?? this.#slots++, length: 0 }
    this.#taken.set(key, entry)
    const fresh = bytes.subarray(entry.length - offset)
    if (offset > entry.length || fresh.length === 0) return
    const start = entry.slot * this.#slotBytes
    try {
      // The length last: until then the slot says what it said before.
      if (known === undefined) this.#write(formatHeader(frame), start)
      this.#write(fresh, start + HEADER_BYTES + entry.length)
      entry.length += fresh.length
      const length = Buffer.alloc(4)
      length.writeUInt32LE(entry.length)
      this.#write(length, start + LENGTH_AT)
    } catch {
      this.#isBroken = true // a full disk, which the image itself will meet and tell
    }
  }

  /** The frame is in the image, or of no use: its slot is free. */
  release(frame: Frame): void {
    const entry = this.#taken.get(keyOf(frame))
    if (entry === undefined) return
    this.#taken.delete(keyOf(frame))
    this.#free.push(entry.slot)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close()
  }

  #write(bytes: Uint8Array, position: number): void {
    let written = 0
    while (written < bytes.length) {
      written += writeSync(this.#file.fd, bytes, written, bytes.length - written, position + written)
    }
  }
}

/** Of the frames that lie in slots: few, where there may be millions. */
function findSizes(frames: Iterable<Frame>, slots: readonly (string | undefined)[]): ReadonlyMap<string, number> {
  const keys = new Set(slots.filter((key) => key !== undefined))
  const sizes = new Map<string, number>()
  if (keys.size === 0) return sizes
  for (const frame of frames) {
    const key = keyOf(frame)
    if (keys.has(key)) sizes.set(key, frame.size)
  }
  return sizes
}

function formatHeader({ digest }: Frame): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  MAGIC.copy(header)
  header.set(digest, DIGEST_AT)
  return header
}

function keyOf({ digest }: Frame): string {
  return Buffer.from(digest).toString('hex')
}
