/** Small disk images with holes, repeated parts and incompressible parts, the same for the same seed. */
import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'

/** Bytes that do not compress, derived from a seed. */
export function noise(seed: string, length: number): Buffer {
  const pieces: Buffer[] = []
  for (let counter = 0; counter * 32 < length; counter++) {
    pieces.push(createHash('sha256').update(`${seed}:${counter}`).digest())
  }
  return Buffer.concat(pieces).subarray(0, length)
}

/** Writes parts at byte offsets into a sparse file of `size` bytes. */
export async function writeDiskImage(
  path: string,
  size: number,
  parts: readonly (readonly [offset: number, bytes: Uint8Array])[],
): Promise<void> {
  await using handle = await open(path, 'w')
  await handle.truncate(size)
  for (const [offset, bytes] of parts) await handle.write(bytes, 0, bytes.length, offset)
}

/** About 5 MiB of noise, text and a repeated part in a file of 16 MiB and 512 bytes. */
export async function writeSampleImage(path: string, seed = 'sample'): Promise<void> {
  const repeated = noise(`${seed} repeated`, 512 * 1024)
  await writeDiskImage(path, 16 * 1024 * 1024 + 512, [
    [0, noise(seed, 1024 * 1024)],
    [3 * 1024 * 1024, repeated],
    [5 * 1024 * 1024, Buffer.alloc(2 * 1024 * 1024, `${seed} text that repeats `)],
    [9 * 1024 * 1024, noise(`${seed} again`, 1_234_567)],
    [12 * 1024 * 1024, repeated],
    [16 * 1024 * 1024, noise(`${seed} end`, 512)],
  ])
}
