/** What a backup reads of a machine's disks: of one that is off under QEMU's lock, of one that runs as they are at one moment. */
import { constants } from 'node:fs'
import { mkdir, open, rm } from 'node:fs/promises'
import type { PackWriter } from '../backup/pack-writer.ts'
import { digestAt, type Point, type StoredDisk } from '../backup/point.ts'
import { type Earlier, type ReadableDisk, readDisk } from '../backup/read-disk.ts'
import type { Machine } from '../domain/inventory.ts'
import { VmpkgError } from '../errors.ts'
import { whileHeld } from '../image/image-lock.ts'
import { withServedImage } from '../image/nbd-server.ts'
import { LibvirtError } from '../libvirt/error.ts'
import { type BackupIndex, removeIndex } from './backup-index.ts'
import type { MachineDisk, MachineParts } from './backup-machine.ts'
import { CHANGES, type SessionDisk, tidyCheckpoints, withRunningDisks } from './backup-session.ts'
import { scratchFolder } from './scratch.ts'
import type { Workspace } from './workspace.ts'

interface Reading {
  readonly machine: Machine
  readonly parts: MachineParts
  /** Real path. */
  readonly folder: string
  readonly incremental: boolean
  readonly writer: PackWriter
  readonly progress: Progress
}

interface ReadDisks {
  readonly disks: readonly StoredDisk[]
  readonly readBytes: number
  readonly consistency: Point['consistency']
  readonly since?: string | undefined
}

/** Nobody can start it meanwhile: QEMU's lock is held on every disk. */
export async function readStopped(workspace: Workspace, reading: Reading): Promise<ReadDisks> {
  const { machine, parts, writer, progress } = reading
  const { processes, signal } = workspace.outside
  const own = parts.disks.filter((disk) => !isStill(disk))
  const folder = scratchFolder(workspace)
  const hold = async (held: number): Promise<ReadDisks> => {
    const next = own[held]
    if (next !== undefined) {
      return whileHeld({ file: next.layers[0]?.file ?? '', processes, signal }, async () => hold(held + 1))
    }
    const disks: StoredDisk[] = []
    let readBytes = 0
    for (const disk of own) {
      const { layers, size } = disk
      const node = { isHeld: true }
      const access = 'read' as const
      await withServedImage({ layers, node, access, folder, processes, signal, virtualSize: size }, async (served) => {
        const read = await readOne(disk, served, undefined, writer, progress)
        disks.push(read.disk)
        readBytes += read.readBytes
      })
    }
    // What was in memory when it was saved is not in the backup.
    const isSaved = await machine.domain.hasManagedSaveImage()
    return { disks, readBytes, consistency: isSaved ? 'crash' : 'stopped' }
  }
  await mkdir(folder, { recursive: true, mode: 0o700 })
  try {
    return await hold(0)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

export async function readRunning(
  workspace: Workspace,
  reading: Reading & { readonly last: BackupIndex | undefined; readonly checkpoint: string | undefined },
): Promise<ReadDisks> {
  const { machine, incremental, last } = reading
  const { domain, name } = machine
  const known = await domain.listAllCheckpoints().catch(() => [])
  const since = incremental && known.some((one) => one.name === last?.checkpoint) ? last : undefined
  if (incremental && last?.checkpoint !== undefined && since === undefined)
    tellWhole(workspace, name, 'its checkpoint is gone')
  try {
    return await readSince(workspace, reading, since)
  } catch (error) {
    if (since === undefined || !(error instanceof LibvirtError)) throw error
    // As after a power cut, when the bitmap was not written down.
    tellWhole(workspace, name, error.message)
    await removeIndex(workspace, domain.uuid, reading.folder)
    await tidyCheckpoints(workspace, domain)
    return readSince(workspace, reading, undefined)
  }
}

function tellWhole({ outside }: Workspace, name: string, reason: string): void {
  outside.emit({ type: 'noted', message: `${name}: what has changed is not known (${reason}), so all of it is read` })
}

async function readSince(
  workspace: Workspace,
  { machine, parts, writer, progress, checkpoint }: Reading & { readonly checkpoint: string | undefined },
  since: BackupIndex | undefined,
): Promise<ReadDisks> {
  const own = parts.disks.filter((disk) => !isStill(disk))
  const earlierOf = ({ target, size, format }: MachineDisk): BackupIndex['disks'][number] | undefined =>
    format === 'qcow2' ? since?.disks.find((one) => one.target === target && one.size === size) : undefined
  const asked = own.map((disk): SessionDisk => {
    const { target, layers, format } = disk
    return { target, file: layers[0]?.file ?? '', format, since: earlierOf(disk) && since?.checkpoint }
  })
  if (own.length === 0) return { disks: [], readBytes: 0, consistency: 'crash' }
  const { domain } = machine
  const request = { domain, xml: await domain.getXMLDesc(), disks: asked, checkpoint }
  return withRunningDisks(workspace, request, async ({ consistency, open: openDisk }) => {
    const disks: StoredDisk[] = []
    let readBytes = 0
    for (const disk of own) {
      const before = earlierOf(disk)
      await using served = await openDisk(disk.target)
      const earlier = before && { chunks: before.chunks, bitmap: CHANGES, has: (one: string) => writer.use(one) }
      const read = await readOne(disk, served, earlier, writer, progress)
      disks.push(read.disk)
      readBytes += read.readBytes
    }
    return { disks, readBytes, consistency, since: own.some(earlierOf) ? since?.point : undefined }
  })
}

/** An image of the store, which nobody writes to. */
export async function readStill(
  disk: MachineDisk,
  writer: PackWriter,
  progress: Progress,
): Promise<{ readonly disk: StoredDisk; readonly readBytes: number }> {
  await using file = await open(disk.layers[0]?.file ?? '', constants.O_RDONLY | constants.O_NOFOLLOW)
  const plain: ReadableDisk = {
    size: disk.size,
    async read(offset, length) {
      const bytes = Buffer.alloc(length)
      await file.read(bytes, 0, length, offset)
      return bytes
    },
    blockStatus: async (_, length) => new Map([['base:allocation', [{ length, flags: 0 }]]]),
  }
  return await readOne(disk, plain, undefined, writer, progress) // the file is open until then
}

async function readOne(
  disk: MachineDisk,
  source: ReadableDisk,
  earlier: Earlier | undefined,
  writer: PackWriter,
  progress: Progress,
): Promise<{ readonly disk: StoredDisk; readonly readBytes: number }> {
  const { kind, target, path, format, size, image, base } = disk
  if (source.size !== size) {
    throw new VmpkgError('DISK_FAILED', `The disk ${target} has ${source.size} bytes and should have ${size}`, {
      hint: 'Was it resized meanwhile? Run the command again.',
    })
  }
  const { chunks, readBytes } = await readDisk({
    disk: source,
    earlier,
    onChunk: async (digest, bytes) => writer.add(digest, bytes),
    onProgress: (done) => progress.at(target, done),
  })
  for (let chunk = 0; chunk * 32 < chunks.length; chunk++) {
    const digest = digestAt(chunks, chunk)
    if (digest !== undefined && !writer.use(digest)) throw new TypeError('a chunk went nowhere')
  }
  const stored = { kind, target, path, format, size, chunks }
  const below = { ...(image === undefined ? {} : { image }), ...(base === undefined ? {} : { base }) }
  return { disk: { ...stored, ...below }, readBytes }
}

export function isStill({ kind, image }: MachineDisk): boolean {
  return kind === 'boot' || image !== undefined
}

export class Progress {
  readonly #workspace: Workspace
  readonly #name: string
  readonly #done = new Map<string, number>()
  readonly #total: number

  constructor(workspace: Workspace, { disks }: MachineParts, name: string) {
    this.#workspace = workspace
    this.#name = name
    this.#total = disks.reduce((sum, { size }) => sum + size, 0)
  }

  at(target: string, doneBytes: number): void {
    this.#done.set(target, doneBytes)
    const done = [...this.#done.values()].reduce((sum, bytes) => sum + bytes, 0)
    this.#workspace.outside.emit({
      type: 'image-progressed',
      subject: this.#name,
      doneBytes: Math.min(done, this.#total),
      totalBytes: this.#total,
    })
  }
}
