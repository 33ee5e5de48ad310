/**
 * The files that a disk stands on, from its own down to the last base, as the headers name them. Formats are never
 * probed: the first is the definition's, each further one that which the file above it states.
 *
 * Source: QEMU docs/interop/qcow2.rst; libvirt's storage_source.c (200 files at most). Test oracle: `qemu-img info`.
 */
import { open, realpath, stat } from 'node:fs/promises'
import { dirname, isAbsolute, join } from 'node:path'
import { systemErrorCode, VmpkgError } from '../errors.ts'
import { parseQcow2Header } from './qcow2-header.ts'
import { type InternalSnapshot, parseSnapshots, SNAPSHOT_TABLE_BYTES, snapshotTable } from './qcow2-snapshots.ts'

const MAX_FILES = 1000
const HEAD_BYTES = 64 * 1024

export interface ChainFile {
  /** As it is named: absolute, links in it not resolved. */
  readonly file: string
  readonly format: 'raw' | 'qcow2'
  /** Bytes. */
  readonly virtualSize: number
  /** When it was last written. */
  readonly modified: Date
  /** Path of the file below, a key of the same map. */
  readonly backing: string | undefined
  readonly snapshots: readonly InternalSnapshot[]
  /** A block device, such as a volume of LVM. */
  readonly isDevice?: true
}

/**
 * Adds a file and all below it to `found`, which may hold others already; its keys are real paths.
 *
 * @param hostPath where this process finds what the daemon knows under a name
 * @returns the key of the file
 * @throws {VmpkgError} `IMAGE_INVALID` for what is not a file, a format that is not read, a base without one, an encrypted
 *   image; `NO_RIGHTS`
 */
export async function readChain(
  top: { readonly file: string; readonly format: string },
  found: Map<string, ChainFile>,
  hostPath: (file: string) => string = (file) => file,
): Promise<string> {
  const locate = (file: string): Promise<string> => locateFile(file, hostPath(file))
  const start = await locate(top.file)
  let next: { file: string; key: string; format: string } | undefined = { ...top, key: start }
  while (next !== undefined && !found.has(next.key)) {
    if (found.size >= MAX_FILES) throw invalid(next.file, `has more than ${MAX_FILES} files below it`)
    const { file, key, format } = next
    const read = await readFile(file, key, format)
    const lower = read.backing
    next = lower === undefined ? undefined : { ...lower, key: await locate(lower.file) }
    found.set(key, { ...read, backing: next?.key })
  }
  return start
}

async function readFile(
  file: string,
  path: string,
  format: string,
): Promise<Omit<ChainFile, 'backing'> & { backing: { file: string; format: string } | undefined }> {
  const stats = await stat(path)
  const isVolume = stats.isBlockDevice() && format === 'qcow2'
  const common = { file, modified: stats.mtime, ...(isVolume && ({ isDevice: true } as const)) }
  if (!stats.isFile() && !isVolume) throw invalid(file, 'is not a file; only files have layers that can be read')
  if (format === 'raw') {
    return { ...common, format, virtualSize: Math.floor(stats.size / 512) * 512, backing: undefined, snapshots: [] }
  }
  if (format !== 'qcow2') throw invalid(file, `is of format ${format}; raw and qcow2 are read`)
  await using handle = await open(path, 'r')
  const head = await readAt(handle, 0, HEAD_BYTES)
  const header = parseQcow2Header(head)
  if (header.isEncrypted) {
    throw new VmpkgError('IMAGE_INVALID', `The disk ${file} is encrypted`, {
      hint: 'Only its guest and QEMU see what is in it: copy files out with vmpkg cp while it runs.',
    })
  }
  const { count, offset } = snapshotTable(head)
  const snapshots = count === 0 ? [] : parseSnapshots(await readAt(handle, offset, SNAPSHOT_TABLE_BYTES), count)
  const { virtualSize } = header
  return { ...common, format, virtualSize, backing: below(file, header), snapshots }
}

function below(
  file: string,
  { backingFile, backingFormat }: { backingFile: string | undefined; backingFormat: string | undefined },
): { file: string; format: string } | undefined {
  if (backingFile === undefined) return undefined
  const name = backingFile.replace(/^file:/, '')
  if (/^[A-Za-z][A-Za-z0-9+.-]*:/.test(name))
    throw invalid(file, `stands on ${JSON.stringify(name.slice(0, 200))}, which is no file`)
  if (backingFormat === undefined) throw invalid(file, 'does not say of which format its base is')
  return { file: isAbsolute(name) ? name : join(dirname(file), name), format: backingFormat }
}

async function readAt(
  handle: { read(buffer: Buffer, offset: number, length: number, position: number): Promise<{ bytesRead: number }> },
  position: number,
  length: number,
): Promise<Buffer> {
  const buffer = Buffer.alloc(length)
  const { bytesRead } = await handle.read(buffer, 0, length, position)
  return buffer.subarray(0, bytesRead)
}

async function locateFile(file: string, hostPath: string): Promise<string> {
  try {
    const path = await realpath(hostPath)
    await using handle = await open(path, 'r')
    void handle
    return path
  } catch (cause) {
    const code = systemErrorCode(cause)
    if (code === 'EACCES' || code === 'EPERM') {
      throw new VmpkgError('NO_RIGHTS', `No right to read the disk ${file}`, {
        hint: 'Run this as root, or as the user who owns the file.',
        cause,
      })
    }
    if (code === 'ENOENT') throw invalid(file, 'is not there', cause)
    throw cause
  }
}

function invalid(file: string, fact: string, cause?: unknown): VmpkgError {
  return new VmpkgError('IMAGE_INVALID', `The disk ${file} ${fact}`, {
    hint: 'Look at the chain of the disk: qemu-img info --backing-chain FILE',
    cause,
  })
}
