/** Ranges of packs from a mirror, as `image/` asks for them. */
import type { BlobSource } from './blob-source.ts'
import { download } from './download.ts'
import { type Mirror, originOf } from './mirror.ts'

export function packSource(mirror: Mirror): BlobSource {
  return { origin: originOf(mirror), read: (range) => download(mirror, range) }
}
