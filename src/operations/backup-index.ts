/**
 * What this host remembers of the newest backup of a machine in a folder: digests and places of its chunks, no data. With it
 * an incremental backup knows what was there, also where the folder is encrypted to a key that this host does not have.
 * Lies among the machine's own files, and goes with them; losing it costs a full reading.
 */
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { zstdCompress, zstdDecompress } from 'node:zlib'
import { POINT_LIMITS } from '../backup/point.ts'
import { replaceFile } from '../durable-file.ts'
import { systemErrorCode } from '../errors.ts'
import { isSha256, type Sha256, sha256 } from '../model/digest.ts'
import type { Workspace } from './workspace.ts'

/** `UUID.backup-FOLDER.index`, where the folder is the beginning of a digest. */
const NAME = /^[0-9a-f-]{36}\.backup-[0-9a-f]{16}\.index$/
const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)

export interface BackupIndex {
  /** Real path. */
  readonly folder: string
  readonly point: string
  readonly encryptedTo: readonly string[]
  /** From which the next incremental one counts. */
  readonly checkpoint?: string | undefined
  readonly disks: readonly { readonly target: string; readonly size: number; readonly chunks: Buffer }[]
  readonly packs: readonly { readonly sha256: Sha256; readonly size: number; readonly entries: Buffer }[]
}

export async function writeIndex(workspace: Workspace, uuid: string, index: BackupIndex): Promise<void> {
  const text = JSON.stringify({
    ...index,
    disks: index.disks.map((one) => ({ ...one, chunks: one.chunks.toString('base64') })),
    packs: index.packs.map((one) => ({ ...one, entries: one.entries.toString('base64') })),
  })
  await replaceFile(indexPath(workspace, uuid, index.folder), await compress(text), { mode: 0o600 })
}

export async function removeIndex(workspace: Workspace, uuid: string, folder: string): Promise<void> {
  await rm(indexPath(workspace, uuid, folder), { force: true })
}

/** Of one machine, or of all, in all folders. */
export async function readIndexes(workspace: Workspace, uuid = ''): Promise<readonly BackupIndex[]> {
  const { overlays } = workspace.connectionPaths
  const names = await readdir(overlays).catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return []
    throw error
  })
  const own = names.filter((name) => name.startsWith(uuid) && NAME.test(name))
  const found = await Promise.all(own.map((name) => readIndex(join(overlays, name))))
  return found.filter((one) => one !== undefined)
}

/** `undefined` for one that is damaged: then all is read anew. */
async function readIndex(path: string): Promise<BackupIndex | undefined> {
  try {
    const bytes = await decompress(await readFile(path), { maxOutputLength: POINT_LIMITS.contents })
    const { disks, packs, ...rest } = JSON.parse(bytes.toString()) as Omit<BackupIndex, 'disks' | 'packs'> & {
      readonly disks: readonly { readonly target: string; readonly size: number; readonly chunks: string }[]
      readonly packs: readonly { readonly sha256: string; readonly size: number; readonly entries: string }[]
    }
    return {
      ...rest,
      disks: disks.map((one) => ({ ...one, chunks: Buffer.from(one.chunks, 'base64') })),
      packs: packs.flatMap(({ sha256: digest, size, entries }) =>
        isSha256(digest) ? [{ sha256: digest, size, entries: Buffer.from(entries, 'base64') }] : [],
      ),
    }
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined
    if (/^(?:ERR_|ZSTD_|Z_|ENOENT)/.test(systemErrorCode(error) ?? '')) return undefined
    throw error
  }
}

function indexPath({ connectionPaths }: Workspace, uuid: string, folder: string): string {
  return join(connectionPaths.overlays, `${uuid}.backup-${sha256(folder).slice(0, 16)}.index`)
}
