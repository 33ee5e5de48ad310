/** Writing a disk with holes where it is empty. Test oracle: `stat`, and the bytes that are read back. */
import type { FileHandle } from 'node:fs/promises'

const BLOCK = 64 * 1024
const ZEROS = Buffer.alloc(BLOCK)

/** Writes all of `bytes` at `position` but what is zero; the file has to be empty there, and gets its size from its owner. */
export async function writeSparse(output: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let start = 0; start < bytes.length; start += BLOCK) {
    const block = bytes.subarray(start, start + BLOCK)
    if (block.equals(ZEROS.subarray(0, block.length))) continue
    for (let done = 0; done < block.length; ) {
      done += (await output.write(block, done, block.length - done, position + start + done)).bytesWritten
    }
  }
}
