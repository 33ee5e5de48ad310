/**
 * `backup`: all of a machine as it was at one moment, in a folder that many backups share. What is in the folder already is
 * not written again; what is written is read back; the backup counts once all of it is on disk.
 */
import { constants } from 'node:fs'
import { mkdir, open, readFile, realpath, rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { zstdCompress } from 'node:zlib'
import {
  hasPack,
  listPoints,
  type PointPlace,
  prepareBackupFolder,
  tidyBackupFolder,
  writePoint,
  writeSigner,
} from '../backup/folder.ts'
import { type KnownPack, PackWriter } from '../backup/pack-writer.ts'
import {
  CHUNK_BYTES,
  type Contents,
  digestAt,
  formatContents,
  formatPoint,
  POINT_LIMITS,
  type Point,
  pointName,
  type StoredDisk,
} from '../backup/point.ts'
import { type Earlier, type ReadableDisk, readDisk } from '../backup/read-disk.ts'
import { PLAIN_SEALER, type Sealer, sealTo } from '../backup/sealing.ts'
import { getMachine, type Machine } from '../domain/inventory.ts'
import { isVmpkgError, VmpkgError } from '../errors.ts'
import { whileHeld } from '../image/image-lock.ts'
import { withServedImage } from '../image/nbd-server.ts'
import { LibvirtError } from '../libvirt/error.ts'
import { type Sha256, sha256 } from '../model/digest.ts'
import { readCertificate } from '../trust/certificate.ts'
import { readContents, readPoint, whileFolderIsOurs } from './backup-folder.ts'
import { type BackupIndex, readIndexes, removeIndex, writeIndex } from './backup-index.ts'
import { ensureBackupKey, signBackup, verifyBackup } from './backup-key.ts'
import { type MachineDisk, type MachineParts, readMachineParts } from './backup-machine.ts'
import { CHANGES, type SessionDisk, tidyBackups, tidyCheckpoints, withRunningDisks } from './backup-session.ts'
import { scratchFolder } from './scratch.ts'
import type { Workspace } from './workspace.ts'

const compress = promisify(zstdCompress)

export interface BackupRequest {
  readonly machine: string
  readonly to: string
  /** Of a running machine only what has changed since the last one is read, and changes are noted from now on. */
  readonly incremental: boolean
  /** Files with certificates. */
  readonly encryptTo: readonly string[]
  readonly dryRun: boolean
}

export interface BackupResult {
  readonly machine: string
  readonly folder: string
  /** Absent of a dry run. */
  readonly point?: string
  readonly kind: Point['kind']
  readonly since?: string
  readonly consistency: Point['consistency']
  readonly disks: readonly { readonly target: string; readonly size: number }[]
  readonly readBytes: number
  readonly addedBytes: number
  readonly encryptedTo: readonly string[]
}

/**
 * @throws {VmpkgError} `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN` `USAGE` `HOST_UNSUPPORTED` `IMAGE_IN_USE` `IMAGE_INVALID`
 *   `KEY_INVALID` `NO_RIGHTS` `NO_SPACE` `DISK_FAILED` `LOCK_HELD` `ABORTED`; nothing counts then, and nothing is left
 */
export async function backup(workspace: Workspace, request: BackupRequest): Promise<BackupResult> {
  const connect = await workspace.connect()
  await tidyBackups(workspace)
  const machine = await getMachine(connect, request.machine)
  requireOwnState(machine)
  const sealer = await openSealer(workspace, request.encryptTo)
  const parts = await readMachineParts(workspace, machine)
  const folder = resolve(workspace.folder, request.to)
  const isRunning = await machine.domain.isActive()
  if (request.dryRun) {
    const indexes = await readIndexes(workspace, machine.domain.uuid)
    const since = request.incremental && isRunning ? usableIndex(indexes, folder, sealer)?.point : undefined
    return {
      machine: machine.name,
      folder,
      kind: since === undefined ? 'full' : 'incremental',
      ...(since === undefined ? {} : { since }),
      consistency: isRunning ? 'crash' : 'stopped',
      disks: parts.disks.map(({ target, size }) => ({ target, size })),
      readBytes: parts.disks.reduce((sum, { size }) => sum + size, 0),
      addedBytes: 0,
      encryptedTo: sealer.recipients,
    }
  }
  await prepareBackupFolder(folder)
  const real = await realpath(folder)
  return whileFolderIsOurs(workspace, real, async () => {
    await tidyBackupFolder(real, await neededPacks(real))
    return write(workspace, { machine, parts, folder: real, sealer, isRunning, incremental: request.incremental })
  })
}

function requireOwnState({ name, facts }: Machine): void {
  if (facts.kind === 'router') {
    throw new VmpkgError('USAGE', `${name} is a router, which keeps nothing of its own`, {
      hint: `vmpkg install ${facts.package} makes it anew; its values are in vmpkg’s configuration.`,
    })
  }
  if (facts.ephemeral) {
    throw new VmpkgError('USAGE', `${name} is ephemeral: nothing of it is meant to stay`, {
      hint: 'Make a clone without --ephemeral of what you want to keep.',
    })
  }
}

async function openSealer(workspace: Workspace, files: readonly string[]): Promise<Sealer> {
  if (files.length === 0) return PLAIN_SEALER
  const certificates = []
  for (const file of files) {
    const bytes = await readFile(resolve(workspace.folder, file)).catch((cause: unknown) => {
      throw new VmpkgError('USAGE', `Cannot read the certificate ${JSON.stringify(file.slice(0, 200))}`, {
        hint: 'Name a file: gpg --export KEY > FILE writes one.',
        cause,
      })
    })
    const isArmored = bytes.subarray(0, 5).toString('latin1') === '-----'
    certificates.push(await readCertificate(isArmored ? bytes.toString('latin1') : bytes))
  }
  return sealTo(certificates, workspace.outside.clock)
}

/** Of all backups in the folder. One that cannot be read might need any of them: then none is called unneeded. */
async function neededPacks(folder: string): Promise<ReadonlySet<Sha256> | undefined> {
  const needed = new Set<Sha256>()
  for (const place of await listPoints(folder)) {
    try {
      const { point } = await readPoint(place)
      for (const pack of point.packs) needed.add(pack.sha256)
    } catch (error) {
      if (isVmpkgError(error, 'BACKUP_INVALID')) return undefined
      throw error
    }
  }
  return needed
}

interface Writing {
  readonly machine: Machine
  readonly parts: MachineParts
  /** Real path. */
  readonly folder: string
  readonly sealer: Sealer
  readonly isRunning: boolean
  readonly incremental: boolean
}

async function write(workspace: Workspace, writing: Writing): Promise<BackupResult> {
  const { machine, parts, folder, sealer, isRunning } = writing
  const { domain, name, facts } = machine
  const { outside } = workspace
  const indexes = await readIndexes(workspace, domain.uuid)
  const last = usableIndex(indexes, folder, sealer)
  const writer = new PackWriter(folder, sealer, await knownPacks(workspace, folder, sealer))
  const point = await freePointName(folder, name, outside.clock.now())
  outside.emit({ type: 'stage-started', stage: 'backup', subject: name })
  const progress = new Progress(workspace, parts, name)
  const checkpoint =
    isRunning && writing.incremental && parts.disks.some(({ kind, format }) => kind === 'disk' && format === 'qcow2')
      ? `vmpkg-${point}-${Buffer.from(outside.randomness.bytes(4)).toString('hex')}`
      : undefined
  const read = isRunning
    ? await readRunning(workspace, { ...writing, writer, progress, last, checkpoint })
    : await readStopped(workspace, { ...writing, writer, progress })
  const still = []
  for (const disk of parts.disks.filter(isStill)) still.push(await readStill(disk, writer, progress))
  const disks = [...read.disks, ...still.map(({ disk }) => disk)]
  const packs = await writer.finish()
  const files = await Promise.all(
    parts.files.map(async ({ role, path }) => ({ role, path, bytes: await readSmall(path) })),
  )
  const contents: Contents = {
    xml: await domain.getXMLDesc({ flags: ['inactive', 'secure'] }),
    autostart: await domain.getAutostart(),
    chunkBytes: CHUNK_BYTES,
    disks,
    files,
    packs: packs.map(({ sha256: digest, entries }) => ({ sha256: digest, entries })),
  }
  const stored = await sealer.seal(await compress(formatContents(contents)))
  const certificate = await ensureBackupKey(workspace)
  const summary: Point = {
    format: 'vmpkg backup 1',
    machine: name,
    uuid: domain.uuid,
    createdAt: outside.clock.now(),
    kind: read.since === undefined ? 'full' : 'incremental',
    ...(read.since === undefined ? {} : { since: read.since }),
    consistency: read.consistency,
    package: { name: facts.package, version: facts.version },
    disks: disks.filter(({ kind }) => kind === 'disk').map(({ target, size }) => ({ target, size })),
    readBytes: read.readBytes + still.reduce((sum, one) => sum + one.readBytes, 0),
    addedBytes: writer.addedBytes + stored.length,
    encryptedTo: [...sealer.recipients],
    contents: { sha256: sha256(stored), size: stored.length },
    packs: packs.map(({ sha256: digest, size }) => ({ sha256: digest, size })),
    signer: certificate.fingerprint,
  }
  const bytes = formatPoint(summary)
  const signature = await signBackup(workspace, certificate, bytes)
  await writeSigner(folder, certificate.fingerprint, Buffer.from(certificate.key.armor()))
  await writePoint({ folder, machine: name, point }, { bytes, signature }, stored)
  await writeIndex(workspace, domain.uuid, {
    folder,
    point,
    encryptedTo: sealer.recipients,
    // What has not changed since an older checkpoint has not changed since this backup either, so of a stopped machine the
    // old one still serves. A full backup of a running one ends that.
    checkpoint: isRunning ? checkpoint : last?.checkpoint,
    disks: disks.map(({ target, size, chunks }) => ({ target, size, chunks })),
    packs,
  })
  await tidyCheckpoints(workspace, domain)
  outside.emit({ type: 'stage-finished', stage: 'backup', subject: name })
  return {
    machine: name,
    folder,
    point,
    kind: summary.kind,
    ...(read.since === undefined ? {} : { since: read.since }),
    consistency: summary.consistency,
    disks: summary.disks,
    readBytes: summary.readBytes,
    addedBytes: summary.addedBytes,
    encryptedTo: summary.encryptedTo,
  }
}

interface Reading extends Writing {
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
async function readStopped(workspace: Workspace, reading: Reading): Promise<ReadDisks> {
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

async function readRunning(
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
async function readStill(
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
  return readOne(disk, plain, undefined, writer, progress)
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

function isStill({ kind, image }: MachineDisk): boolean {
  return kind === 'boot' || image !== undefined
}

async function readSmall(path: string): Promise<Buffer> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const stats = await file.stat()
  if (stats.isFile() && stats.size <= POINT_LIMITS.smallFile) return file.readFile()
  throw new VmpkgError('IMAGE_INVALID', `${JSON.stringify(path)} is too large for what it should be`)
}

/** The one that the folder's packs, with these recipients, belong to. */
function usableIndex(indexes: readonly BackupIndex[], folder: string, { recipients }: Sealer): BackupIndex | undefined {
  return indexes.find((one) => one.folder === folder && isSame(one.encryptedTo, recipients))
}

/**
 * Packs whose chunks need not be written again: those that this host wrote, encrypted to the same keys. A table that somebody
 * else made up would only come to light when it is too late.
 */
async function knownPacks(workspace: Workspace, folder: string, sealer: Sealer): Promise<readonly KnownPack[]> {
  const found = new Map<string, KnownPack>()
  const all = (await readIndexes(workspace)).filter(
    (one) => one.folder === folder && isSame(one.encryptedTo, sealer.recipients),
  )
  for (const { packs } of all) for (const pack of packs) found.set(pack.sha256, pack)
  if (sealer.recipients.length === 0) {
    const newest = new Map((await listPoints(folder)).map((place) => [place.machine, place]))
    for (const place of newest.values()) {
      if (all.some(({ point }) => point === place.point)) continue
      for (const pack of await packsOf(workspace, place)) found.set(pack.sha256, pack)
    }
  }
  const there: KnownPack[] = []
  for (const pack of found.values()) if (await hasPack(folder, pack)) there.push(pack)
  return there
}

async function packsOf(workspace: Workspace, place: PointPlace): Promise<readonly KnownPack[]> {
  try {
    const found = await readPoint(place)
    if (found.point.encryptedTo.length > 0) return []
    await verifyBackup(workspace, { folder: place.folder, ...found.signed, signer: found.point.signer }, undefined)
    const { packs } = await readContents(found, undefined)
    const sizes = new Map(found.point.packs.map((one) => [one.sha256, one.size]))
    return packs.map((one) => ({ ...one, size: sizes.get(one.sha256) ?? 0 }))
  } catch (error) {
    if (isVmpkgError(error, 'BACKUP_INVALID', 'SIGNATURE_UNTRUSTED', 'SIGNATURE_INVALID')) return []
    throw error
  }
}

function isSame(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((one, i) => one === others[i])
}

/** Seconds are the finest that a name has. */
async function freePointName(folder: string, machine: string, now: Date): Promise<string> {
  const taken = new Set((await listPoints(folder)).filter((one) => one.machine === machine).map(({ point }) => point))
  for (let at = now; ; at = new Date(at.getTime() + 1000)) {
    if (!taken.has(pointName(at))) return pointName(at)
  }
}

class Progress {
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
