/**
 * dm-verity hash trees in files (layout: `model/verity.ts`). Test oracle: `veritysetup`.
 */
import { hash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { dataBlocksOf, hashLevels, VERITY_BLOCK_BYTES } from '../model/verity.ts'

const READ_BLOCKS = 256

/** Fills the last block of the file up with zeros and appends the tree over all blocks. */
export async function appendHashTree(path: string): Promise<void> {
  const file = await open(path, 'r+')
  try {
    const { size } = await file.stat()
    const blocks = Math.max(1, Math.ceil(size / VERITY_BLOCK_BYTES))
    await file.truncate(blocks * VERITY_BLOCK_BYTES)
    const { tree } = makeHashTree(await hashBlocks(file, blocks))
    await file.write(tree, 0, tree.length, blocks * VERITY_BLOCK_BYTES)
  } finally {
    await file.close()
  }
}

/** The root hash, hexadecimal, of a file that ends with its tree; undefined where it does not. */
export async function readRootHash(path: string): Promise<string | undefined> {
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    const blocks = dataBlocksOf(size)
    if (blocks === undefined) return undefined
    const { tree, root } = makeHashTree(await hashBlocks(file, blocks))
    const written = Buffer.alloc(tree.length)
    await file.read(written, 0, written.length, blocks * VERITY_BLOCK_BYTES)
    return written.equals(tree) ? root : undefined
  } finally {
    await file.close()
  }
}

/** The digest of each block, one after the other. */
async function hashBlocks(file: FileHandle, blocks: number): Promise<Buffer> {
  const digests: Buffer[] = []
  const buffer = Buffer.alloc(READ_BLOCKS * VERITY_BLOCK_BYTES)
  for (let at = 0; at < blocks; at += READ_BLOCKS) {
    const wanted = Math.min(READ_BLOCKS, blocks - at) * VERITY_BLOCK_BYTES
    const { bytesRead } = await file.read(buffer, 0, wanted, at * VERITY_BLOCK_BYTES)
    digests.push(digestBlocks(buffer.subarray(0, bytesRead)))
  }
  return Buffer.concat(digests)
}

function digestBlocks(bytes: Buffer): Buffer {
  const digests: Buffer[] = []
  for (let at = 0; at < bytes.length; at += VERITY_BLOCK_BYTES) {
    digests.push(hash('sha256', bytes.subarray(at, at + VERITY_BLOCK_BYTES), 'buffer'))
  }
  return Buffer.concat(digests)
}

/** From the digests of the data's blocks. Levels lie in the file from the root down. */
function makeHashTree(leaves: Buffer): { readonly tree: Buffer; readonly root: string } {
  let digests = leaves
  const levels: Buffer[] = []
  for (const blocks of hashLevels(leaves.length / 32)) {
    const level = Buffer.alloc(blocks * VERITY_BLOCK_BYTES)
    digests.copy(level)
    levels.unshift(level)
    digests = digestBlocks(level)
  }
  return { tree: Buffer.concat(levels), root: digests.toString('hex') }
}
