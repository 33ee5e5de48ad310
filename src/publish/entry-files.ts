/** The files that one package version needs: archive, chunk maps, transport indexes, packs, deltas. */
import type { BinaryFile } from '../image/binary.ts'
import { MAX_MAP_BYTES } from '../image/chunk-map.ts'
import { readPacks } from '../image/transport-index.ts'
import type { Sha256 } from '../model/digest.ts'
import type { PackageLine, Transport } from '../model/line.ts'
import type { RegistryFile } from './registry-files.ts'
import { contentPath } from './registry-folder.ts'

/** A file of the registry; `undefined` where it is not there. */
export type FindFile = (path: string, maxBytes: number) => Promise<BinaryFile | undefined>

/**
 * Packs are known from transport indexes, which are read; where one is not there, as in a mirror of a few packages, its packs
 * are left out.
 *
 * @param isKnown transport indexes that need not be read again
 * @throws {VmpkgError} `IMAGE_INVALID`
 */
export async function entryFiles(
  line: PackageLine,
  transport: Transport,
  { find, isKnown = () => false }: { readonly find: FindFile; readonly isKnown?: (index: Sha256) => boolean },
): Promise<readonly RegistryFile[]> {
  const files = [{ path: contentPath('package', line.package.sha256), size: line.package.size }]
  const add = (kind: 'map' | 'transport' | 'blob', { sha256, size }: { sha256: Sha256; size: number }): void => {
    files.push({ path: contentPath(kind, sha256), size })
  }
  for (const { digest, map } of line.images) {
    const { index, deltas = [] } = transport.images[digest] ?? {}
    add('map', map)
    for (const delta of deltas) {
      add('transport', delta.index)
      add('blob', delta.pack)
    }
    if (index === undefined || isKnown(index.sha256)) continue
    add('transport', index)
    const mapFile = await find(contentPath('map', map.sha256), MAX_MAP_BYTES)
    const indexFile = await find(contentPath('transport', index.sha256), MAX_MAP_BYTES)
    if (mapFile === undefined || indexFile === undefined) continue
    for (const pack of await readPacks(mapFile, indexFile)) add('blob', pack)
  }
  return [...new Map(files.map((file) => [file.path, file])).values()]
}
