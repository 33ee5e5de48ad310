/** Refuses before the first byte when the disk cannot hold the result (threats D07). */
import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { systemErrorCode, VmpkgError } from '../errors.ts'

/** Left for everything else on the same disk. */
const RESERVE_BYTES = 64 * 1024 * 1024

/** @throws {VmpkgError} `NO_SPACE` */
export async function requireFreeSpace(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfsOfNearest(folder)
  const free = bavail * bsize
  if (free >= bytes + RESERVE_BYTES) return
  throw new VmpkgError(
    'NO_SPACE',
    `${folder} has ${mebibytes(free)} MiB free, ${mebibytes(bytes + RESERVE_BYTES)} MiB are needed`,
    {
      hint: 'Free some space (vmpkg gc removes what nobody uses), or move the state with --root.',
      details: { free, needed: bytes + RESERVE_BYTES },
    },
  )
}

async function statfsOfNearest(folder: string): Promise<{ bavail: number; bsize: number }> {
  try {
    return await statfs(folder)
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT' || dirname(folder) === folder) throw error
    return statfsOfNearest(dirname(folder))
  }
}

function mebibytes(bytes: number): number {
  return Math.ceil(bytes / (1024 * 1024))
}
