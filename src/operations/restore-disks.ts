/** The disks that a restore makes: what differs from the image that each stands on, out of the packs of a backup. */
import { chmod, mkdir, open as openFile, rm, truncate } from 'node:fs/promises'
import { readPack } from '../backup/pack-reader.ts'
import { CHUNK_BYTES, type Contents, chunkCount, chunkLength, digestAt, type StoredDisk } from '../backup/point.ts'
import type { Opener } from '../backup/sealing.ts'
import { throwIfAborted } from '../domain/readiness.ts'
import { VmpkgError } from '../errors.ts'
import type { NbdDisk } from '../image/nbd-client.ts'
import { withServedImage } from '../image/nbd-server.ts'
import { writeOverlay } from '../image/qcow2-overlay.ts'
import { needTool } from '../image/qemu-tool.ts'
import { sha256 } from '../model/digest.ts'
import type { FoundPoint } from './backup-folder.ts'
import { scratchFolder } from './scratch.ts'
import type { Workspace } from './workspace.ts'

export interface FilePlan {
  readonly disk: StoredDisk
  readonly path: string
  /** Path of the base in the store. */
  readonly base?: string
  /** Chunks to be written, and those to be made zero over a base. */
  readonly chunks: readonly number[]
  readonly zeros: readonly number[]
}

/** What is read to fill them. */
export interface FillPlan {
  readonly found: FoundPoint
  readonly contents: Contents
  readonly open: Opener | undefined
  readonly name: string
  readonly files: readonly FilePlan[]
  readonly writtenBytes: number
}

/** Which chunks a file needs of its own. */
export async function findDiffering(
  { size, chunks }: StoredDisk,
  base: string | undefined,
): Promise<Pick<FilePlan, 'chunks' | 'zeros'>> {
  const own: number[] = []
  const zeros: number[] = []
  const file = base === undefined ? undefined : await openFile(base, 'r')
  try {
    for (let chunk = 0; chunk < chunkCount(size); chunk++) {
      const wanted = digestAt(chunks, chunk)
      const bytes = Buffer.alloc(chunkLength(size, chunk))
      if (file !== undefined) await file.read(bytes, 0, bytes.length, chunk * CHUNK_BYTES)
      const there = file === undefined || bytes.every((byte) => byte === 0) ? undefined : sha256(bytes)
      if (wanted === there) continue
      if (wanted === undefined) zeros.push(chunk)
      else own.push(chunk)
    }
  } finally {
    await file?.close()
  }
  return { chunks: own, zeros }
}

export async function makeDisks(workspace: Workspace, files: readonly FilePlan[]): Promise<void> {
  const { processes, signal } = workspace.outside
  for (const { disk, path, base } of files) {
    if (isInStore(workspace, path)) continue
    if (base !== undefined) {
      await writeOverlay({ path, backing: base, virtualSize: disk.size })
      continue
    }
    await (await openFile(path, 'wx', 0o600)).close()
    await chmod(path, disk.kind === 'boot' ? 0o644 : 0o600)
    if (disk.format === 'raw') await truncate(path, disk.size)
    else {
      const args = ['create', '-q', '-f', 'qcow2', path, String(disk.size)]
      await needTool('qemu-img', args, { processes, signal, file: path, maxFileBytes: 1024 * 1024 * 1024 })
    }
  }
}

function isInStore({ paths }: Workspace, path: string): boolean {
  return path.startsWith(`${paths.images}/`)
}

/** Each pack is read once, and each chunk of it goes to all places that it has. */
export async function fillDisks(workspace: Workspace, plan: FillPlan): Promise<void> {
  const { processes, signal, emit } = workspace.outside
  const { files, contents, found, open: opener, writtenBytes, name } = plan
  const own = files.filter(({ path }) => !isInStore(workspace, path))
  const folder = scratchFolder(workspace)
  const places = new Map<string, (readonly [number, number])[]>()
  for (const [at, { disk, chunks }] of own.entries()) {
    for (const chunk of chunks) {
      const digest = digestAt(disk.chunks, chunk) ?? ''
      const known = places.get(digest)
      if (known === undefined) places.set(digest, [[at, chunk]])
      else known.push([at, chunk])
    }
  }
  const fill = async (disks: readonly NbdDisk[]): Promise<void> => {
    const next = own[disks.length]
    if (next !== undefined) {
      const { path, base, disk } = next
      const layers = [
        { file: path, format: disk.format },
        ...(base === undefined ? [] : [{ file: base, format: 'raw' as const }]),
      ]
      const options = { layers, access: 'write' as const, folder, processes, signal, virtualSize: disk.size }
      await withServedImage(options, async (served) => fill([...disks, served]))
      return
    }
    for (const [at, { zeros, disk }] of own.entries()) {
      for (const chunk of zeros) await disks[at]?.writeZeros(chunk * CHUNK_BYTES, chunkLength(disk.size, chunk))
    }
    const sizes = new Map(found.point.packs.map((pack) => [pack.sha256, pack.size]))
    let done = 0
    for (const pack of contents.packs) {
      throwIfAborted(signal)
      const packed = { ...pack, size: sizes.get(pack.sha256) ?? 0 }
      for await (const { digest, bytes } of readPack(found.place.folder, packed, opener, (one) => places.has(one))) {
        for (const [at, chunk] of places.get(digest) ?? []) {
          await disks[at]?.write(chunk * CHUNK_BYTES, bytes)
          done += CHUNK_BYTES
        }
        places.delete(digest)
      }
      emit({ type: 'image-progressed', subject: name, doneBytes: done, totalBytes: writtenBytes })
    }
    if (places.size > 0) throw new VmpkgError('BACKUP_INVALID', `${places.size} parts of the disks are in no pack`)
  }
  await mkdir(folder, { recursive: true, mode: 0o700 })
  try {
    await fill([])
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  for (const { path } of own) {
    await using file = await openFile(path, 'r')
    await file.sync()
  }
}
