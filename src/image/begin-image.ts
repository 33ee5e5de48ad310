/**
 * How the unfinished file of an image begins: with what an earlier run left, or, where the file system shares blocks between files
 * (xfs, btrfs), as a clone of an image that lies here and is mostly like it. What is in it is unverified either way:
 * chunk for chunk is checked against the map, and only what is wrong is written (design images 7.2). Test oracle: `filefrag`.
 */
import { constants } from 'node:fs'
import { chmod, copyFile, lstat, rename, rm } from 'node:fs/promises'
import { systemErrorCode } from '../errors.ts'
import { type ChunkMap, chunkDigest, chunkLength } from './chunk-map.ts'
import type { OpenLocalImage } from './local-chunks.ts'

/** Read in full, zeros as they are, to see that they are empty: some seconds. */
const MAX_HOLE_BYTES = 16 * 2 ** 30
/** Of the image, that a clone has to have at the same place. */
const LEAST_ALIKE = 0.5
/** Of what a clone has alike, that may be in the way where the image is empty: zeros that are written take space. */
const MOST_IN_THE_WAY = 1 / 16

/** Bytes that no chunk covers. */
export function holeBytes(map: ChunkMap): number {
  let left = map.virtualSize
  for (const chunk of map.chunks) left -= chunkLength(map, chunk)
  return left
}

/**
 * Makes `partial` a clone of the likeliest image where there is one, the file system can, and no earlier run left anything.
 * @returns true where it did
 */
export async function beginAsClone(
  partial: string,
  map: ChunkMap,
  locals: readonly OpenLocalImage[],
): Promise<boolean> {
  const found = await statOf(partial)
  if ((found !== undefined && found.blocks > 0) || holeBytes(map) > MAX_HOLE_BYTES) return false
  const needed = map.virtualSize - holeBytes(map)
  const [best] = locals
    .map((local) => ({ local, ...compare(map, local.map) }))
    .filter(({ alike, inTheWay }) => alike >= needed * LEAST_ALIKE && inTheWay <= alike * MOST_IN_THE_WAY)
    .toSorted((a, b) => b.alike - a.alike)
  if (best === undefined) return false
  const clone = `${partial}.clone`
  await rm(clone, { force: true })
  try {
    // The open file, whatever its name means by now; never onto something that somebody put there.
    const mode = constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL
    await copyFile(`/proc/self/fd/${best.local.file.fd}`, clone, mode)
    await chmod(clone, 0o600)
    await rename(clone, partial)
    return true
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error
    await rm(clone, { force: true }) // the file system shares nothing: chunks are copied
    return false
  }
}

/** Where an earlier run left a file with so many holes that nobody should read them all, it is set aside to be copied from. */
export async function setSparseAside(partial: string, map: ChunkMap): Promise<string | undefined> {
  const found = await statOf(partial)
  if (found === undefined || found.blocks === 0 || holeBytes(map) <= MAX_HOLE_BYTES) return undefined
  const aside = `${partial}.old`
  await rename(partial, aside)
  return aside
}

/** Bytes of chunks at the same places, and bytes that the old image has where the new one has nothing. */
function compare(map: ChunkMap, old: ChunkMap): { readonly alike: number; readonly inTheWay: number } {
  let [alike, common, at] = [0, 0, 0]
  for (const [index, chunk] of old.chunks.entries()) {
    const start = old.offsets.at(index) ?? 0
    const end = start + chunkLength(old, chunk)
    while (at < map.chunks.length && endOf(map, at) <= start) at++
    for (let other = at; other < map.chunks.length && (map.offsets.at(other) ?? 0) < end; other++) {
      const [from, to] = [map.offsets.at(other) ?? 0, endOf(map, other)]
      common += Math.min(end, to) - Math.max(start, from)
      const isSame =
        from === start && to === end && map.digests.equals(map.chunks.at(other) ?? 0, chunkDigest(old, chunk))
      if (isSame) alike += end - start
    }
  }
  return { alike, inTheWay: old.virtualSize - holeBytes(old) - common }
}

function endOf(map: ChunkMap, index: number): number {
  return (map.offsets.at(index) ?? 0) + chunkLength(map, map.chunks.at(index) ?? 0)
}

async function statOf(path: string) {
  return lstat(path).catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return undefined
    throw error
  })
}
