/** A published image as a raw file again, from the packs of its registry's folder: what a delta is made against. */
import { constants } from 'node:fs'
import { type FileHandle, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { VmpkgError } from '../errors.ts'
import type { BlobSource } from '../fetch/blob-source.ts'
import { assembleImage } from '../image/assemble.ts'
import type { PublishedImage } from './earlier-images.ts'

const READ_BYTES = 1024 * 1024

/** Runs `use` with the file, which is removed afterwards. @throws {VmpkgError} `REGISTRY_INVALID` where a pack is missing */
export async function withPublishedFile<T>(
  folder: string,
  { digest, map, index }: PublishedImage,
  { signal, use }: { readonly signal?: AbortSignal | undefined; readonly use: (file: string) => Promise<T> },
): Promise<T> {
  // Letters only: `repo gc` knows the name, and nobody else has it.
  const letters = Array.from({ length: 12 }, () => String.fromCharCode(97 + Math.floor(Math.random() * 26))).join('')
  const target = join(folder, 'blob', `${digest}.${letters}.partial`)
  try {
    await assembleImage({ map, index, blobs: folderSource(folder), target, subject: digest.slice(0, 12), signal })
    return await use(target)
  } finally {
    for (const suffix of ['', '.partial', '.partial.frames']) await rm(`${target}${suffix}`, { force: true })
  }
}

function folderSource(folder: string): BlobSource {
  return {
    origin: 'local',
    places: 1,
    distrust: () => {},
    async *read({ path, start, end }) {
      await using file = await openPack(folder, path)
      for (let offset = start; offset < end; ) {
        const piece = Buffer.alloc(Math.min(READ_BYTES, end - offset))
        const { bytesRead } = await file.read(piece, 0, piece.length, offset)
        if (bytesRead === 0) throw new VmpkgError('REGISTRY_INVALID', `${path} of the registry ends too early`)
        offset += bytesRead
        yield piece.subarray(0, bytesRead)
      }
    },
  }
}

async function openPack(folder: string, path: string): Promise<FileHandle> {
  try {
    return await open(join(folder, path), constants.O_RDONLY | constants.O_NOFOLLOW)
  } catch (cause) {
    throw new VmpkgError('REGISTRY_INVALID', `Cannot read ${path} of the registry`, { cause })
  }
}
