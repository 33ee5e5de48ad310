/** Digests as a chunk map holds them. */
import { PagedDigests, Scratch } from '../../src/image/paged.ts'

/** @param bytes 32 of each, one after the other */
export function digestList(bytes: Uint8Array): PagedDigests {
  const list = new PagedDigests(new Scratch())
  for (let start = 0; start < bytes.length; start += 32) list.push(bytes, start)
  return list
}
