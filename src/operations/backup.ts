/**
 * `backup`: all of a machine as it was at one moment, in a folder that many backups share. What is in the folder already is
 * not written again; what is written is read back; the backup counts once all of it is on disk.
 */
import { constants } from 'node:fs'
import { open, readFile, realpath } from 'node:fs/promises'
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
  formatContents,
  formatPoint,
  POINT_LIMITS,
  type Point,
  pointName,
} from '../backup/point.ts'
import { PLAIN_SEALER, type Sealer, sealTo } from '../backup/sealing.ts'
import { getMachine, type Machine } from '../domain/inventory.ts'
import { isVmpkgError, VmpkgError } from '../errors.ts'
import { type Sha256, sha256 } from '../model/digest.ts'
import { readCertificate } from '../trust/certificate.ts'
import { isStill, Progress, readRunning, readStill, readStopped } from './backup-disks.ts'
import { readContents, readPoint, whileFolderIsOurs } from './backup-folder.ts'
import { type BackupIndex, readIndexes, writeIndex } from './backup-index.ts'
import { ensureBackupKey, signBackup, verifyBackup } from './backup-key.ts'
import { type MachineParts, readMachineParts } from './backup-machine.ts'
import { tidyBackups, tidyCheckpoints } from './backup-session.ts'
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
