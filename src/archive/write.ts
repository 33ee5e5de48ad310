/**
 * Writes a package archive (formats 4.1): ustar in zstd, `vmpkg.yaml` first and the rest in order of code units, one
 * time for all, owner 0, modes 0644 and 0755. Same files, same bytes. Test oracle: GNU `tar` lists and unpacks it.
 */
import { constants, zstdCompressSync } from 'node:zlib'
import { Header } from 'tar'
import { VmpkgError } from '../errors.ts'
import { verifyEntries } from './entry-policy.ts'

export interface ArchiveFile {
  readonly bytes: Uint8Array
  readonly executable: boolean
}

/** Files by path, `/` between folders. */
export type ArchiveFiles = ReadonlyMap<string, ArchiveFile>

export const MANIFEST_PATH = 'vmpkg.yaml'
const BLOCK = 512
const LEVEL = 19

/** `mtime` is the source date epoch. @throws {VmpkgError} `ARCHIVE_ENTRY_REFUSED` `ARCHIVE_INVALID` */
export function writeArchive(files: ArchiveFiles, mtime: Date = new Date(0)): Uint8Array {
  verifyEntries([...files].map(([path, { bytes }]) => ({ path, type: 'File', sizeBytes: bytes.length })))
  const manifest = files.get(MANIFEST_PATH)
  if (manifest === undefined) throw new VmpkgError('ARCHIVE_INVALID', `The package has no ${MANIFEST_PATH}`)
  const others = [...files].filter(([path]) => path !== MANIFEST_PATH).toSorted(([a], [b]) => (a < b ? -1 : 1))
  const blocks = [[MANIFEST_PATH, manifest] as const, ...others].flatMap(([path, file]) =>
    entryBlocks(path, file, mtime),
  )
  const tar = Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)])
  return zstdCompressSync(tar, {
    params: { [constants.ZSTD_c_compressionLevel]: LEVEL, [constants.ZSTD_c_checksumFlag]: 0 },
    pledgedSrcSize: tar.length,
  })
}

function entryBlocks(path: string, { bytes, executable }: ArchiveFile, mtime: Date): readonly Uint8Array[] {
  const header = new Header({
    path,
    type: 'File',
    mode: executable ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    uname: '',
    gname: '',
    size: bytes.length,
    mtime,
  })
  const block = Buffer.alloc(BLOCK)
  if (header.encode(block)) throw new Error(`a path that passed the policy needs more than a ustar header: ${path}`)
  return [block, bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK)]
}
