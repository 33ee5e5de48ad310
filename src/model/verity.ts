/**
 * The layout of a root under dm-verity: data, then its hash tree without a superblock, in one file. SHA-256, blocks of
 * 4096 bytes, no salt. How much of the file is data follows from its size.
 * Source: the kernel's admin-guide/device-mapper/verity, drivers/md/dm-verity-target.c.
 */
import type { PackageImage } from './line.ts'

export const VERITY_BLOCK_BYTES = 4096
const DIGESTS_PER_BLOCK = 128

/** Blocks of each level of hashes, from the one over the data up to the root. One block of data needs none. */
export function hashLevels(dataBlocks: number): readonly number[] {
  const levels: number[] = []
  for (let blocks = dataBlocks; blocks > 1; ) {
    blocks = Math.ceil(blocks / DIGESTS_PER_BLOCK)
    levels.push(blocks)
  }
  return levels
}

/** Blocks of data in a file of that size; undefined where no number of them fills it with its tree. */
export function dataBlocksOf(sizeBytes: number): number | undefined {
  const all = sizeBytes / VERITY_BLOCK_BYTES
  if (!Number.isInteger(all)) return undefined
  const size = (data: number): number => hashLevels(data).reduce((sum, blocks) => sum + blocks, data)
  let [low, high] = [0, all]
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (size(middle) <= all) low = middle
    else high = middle
  }
  return [high, low].find((data) => data > 0 && size(data) === all)
}

/**
 * What the initrd is told, `<root hash>:<blocks of data>`; undefined for a root that is not verified.
 * Size and hash come from a checked line.
 */
export function verityArgument({ verityRoot, size }: Pick<PackageImage, 'verityRoot' | 'size'>): string | undefined {
  const blocks = dataBlocksOf(size)
  return verityRoot === undefined || blocks === undefined ? undefined : `${verityRoot}:${blocks}`
}
