/**
 * The files of a backup folder:
 *
 *     MACHINE/POINT/backup.json, backup.json.sig, contents     one backup
 *     .vmpkg/packs/NN/SHA256                                   chunks, shared by all backups in the folder
 *     .vmpkg/signers/FINGERPRINT.asc                           who signed
 *     .vmpkg/lock                                              one writer at a time
 *
 * A backup gets its name when all of it is on disk, so one that was killed is not there. Reading is bounded, and follows
 * no links.
 */
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { lstat, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder, renameDurably, syncFolder } from '../durable-file.ts'
import { systemErrorCode, VmpkgError } from '../errors.ts'
import { type Digested, isSha256, type Sha256, sha256 } from '../model/digest.ts'
import { isFingerprint } from '../model/fingerprint.ts'
import { isDomainName } from '../model/name.ts'
import { isPointName, POINT_LIMITS } from './point.ts'

const OWN = '.vmpkg'
/** A backup that is being written, or taken away: neither is one. */
const UNFINISHED = '.unfinished-'
const REMOVED = '.removed-'

/** Which backup, in its folder. */
export interface PointPlace {
  readonly folder: string
  readonly machine: string
  readonly point: string
}

export interface SignedPoint {
  readonly bytes: Uint8Array
  readonly signature: Uint8Array
}

export function lockPath(folder: string): string {
  return join(folder, OWN, 'lock')
}

/** Makes an empty folder one of backups; one that is there already stays as it is. @throws {VmpkgError} `USAGE` */
export async function prepareBackupFolder(folder: string): Promise<void> {
  await makeFolder(folder, { mode: 0o700 })
  if (await isBackupFolder(folder)) return
  const names = await readdir(folder)
  if (names.some((name) => name !== 'lost+found')) {
    throw new VmpkgError('USAGE', `${JSON.stringify(folder)} has other files in it, and no backups`, {
      hint: 'Name a new or empty folder, or one that has backups of vmpkg already.',
    })
  }
  for (const name of ['packs', 'signers']) await makeFolder(join(folder, OWN, name), { mode: 0o700 })
}

export async function isBackupFolder(folder: string): Promise<boolean> {
  return (await listFolder(join(folder, OWN))).includes('packs')
}

/** Oldest first, by machine. What is unfinished is not among them. */
export async function listPoints(folder: string): Promise<readonly PointPlace[]> {
  const found: PointPlace[] = []
  for (const machine of (await listFolder(folder)).filter(isDomainName)) {
    const points = (await listFolder(join(folder, machine))).filter(isPointName)
    found.push(...points.map((point) => ({ folder, machine, point })))
  }
  return found
}

function pathOfPoint({ folder, machine, point }: PointPlace): string {
  return join(folder, machine, point)
}

/** @throws {VmpkgError} `BACKUP_INVALID` */
export async function readSignedPoint(place: PointPlace): Promise<SignedPoint> {
  const path = pathOfPoint(place)
  return {
    bytes: await readBounded(join(path, 'backup.json'), POINT_LIMITS.point),
    signature: await readBounded(join(path, 'backup.json.sig'), POINT_LIMITS.signature),
  }
}

/** As it is stored. @throws {VmpkgError} `BACKUP_INVALID` where it is not what the point says */
export async function readStoredContents(place: PointPlace, expected: Digested): Promise<Uint8Array> {
  return readDigested(join(pathOfPoint(place), 'contents'), expected, POINT_LIMITS.contents)
}

/** As it is stored. @throws {VmpkgError} `BACKUP_INVALID` where it is not what the point says */
export async function readStoredPack(folder: string, expected: Digested): Promise<Uint8Array> {
  return readDigested(packPath(folder, expected.sha256), expected, POINT_LIMITS.packFile)
}

export async function hasPack(folder: string, { sha256: digest, size }: Digested): Promise<boolean> {
  return (await sizeOf(packPath(folder, digest))) === size
}

/** @throws {VmpkgError} `KEY_UNKNOWN` */
export async function readSigner(folder: string, fingerprint: string): Promise<Uint8Array> {
  if (!isFingerprint(fingerprint)) throw new TypeError('not a fingerprint')
  return readBounded(join(folder, OWN, 'signers', `${fingerprint}.asc`), POINT_LIMITS.certificate)
}

export async function writeSigner(folder: string, fingerprint: string, certificate: Uint8Array): Promise<void> {
  const path = join(folder, OWN, 'signers', `${fingerprint}.asc`)
  if ((await sizeOf(path)) === certificate.length) return
  await writeSynced(`${path}.tmp`, certificate)
  await renameDurably(`${path}.tmp`, path)
}

/** Writes a pack, reads it back, and gives it its name. @throws {VmpkgError} `DISK_FAILED` `NO_SPACE` */
export async function writePack(folder: string, bytes: Uint8Array): Promise<Digested> {
  const digested = { sha256: sha256(bytes), size: bytes.length }
  const path = packPath(folder, digested.sha256)
  await makeFolder(join(path, '..'), { mode: 0o700 })
  await writeVerified(`${path}.tmp`, bytes, digested)
  await renameDurably(`${path}.tmp`, path)
  return digested
}

/** All of a backup but its packs, which are there: once this returns it counts. */
export async function writePoint(place: PointPlace, signed: SignedPoint, contents: Uint8Array): Promise<void> {
  const machine = join(place.folder, place.machine)
  await makeFolder(machine, { mode: 0o700 })
  const unfinished = join(machine, `${UNFINISHED}${place.point}`)
  await rm(unfinished, { recursive: true, force: true })
  await mkdir(unfinished, { mode: 0o700 })
  for (const [name, bytes] of [
    ['contents', contents],
    ['backup.json', signed.bytes],
    ['backup.json.sig', signed.signature],
  ] as const) {
    await writeVerified(join(unfinished, name), bytes, { sha256: sha256(bytes), size: bytes.length })
  }
  await syncFolder(unfinished)
  await renameDurably(unfinished, pathOfPoint(place))
}

/** It counts no more as soon as it has another name. */
export async function removePoint(place: PointPlace): Promise<void> {
  const machine = join(place.folder, place.machine)
  const removed = join(machine, `${REMOVED}${place.point}`)
  await rm(removed, { recursive: true, force: true })
  await rename(pathOfPoint(place), removed)
  await syncFolder(machine)
  await rm(removed, { recursive: true, force: true })
}

/** What killed commands left, and packs that are not needed, where that is known. Nobody else may write there meanwhile. */
export async function tidyBackupFolder(
  folder: string,
  needed: ReadonlySet<Sha256> | undefined,
): Promise<{ readonly packs: number; readonly bytes: number }> {
  for (const machine of (await listFolder(folder)).filter(isDomainName)) {
    const names = await listFolder(join(folder, machine))
    const left = names.filter((name) => name.startsWith(UNFINISHED) || name.startsWith(REMOVED))
    for (const name of left) await rm(join(folder, machine, name), { recursive: true, force: true })
    if (names.length === left.length) await rm(join(folder, machine), { recursive: true, force: true })
  }
  const packs = join(folder, OWN, 'packs')
  let removed = 0
  let bytes = 0
  for (const part of await listFolder(packs)) {
    for (const name of await listFolder(join(packs, part))) {
      if (isSha256(name) ? (needed?.has(name) ?? true) : !name.endsWith('.tmp')) continue
      bytes += (await sizeOf(join(packs, part, name))) ?? 0
      await rm(join(packs, part, name), { force: true })
      removed++
    }
  }
  return { packs: removed, bytes }
}

function packPath(folder: string, digest: Sha256): string {
  return join(folder, OWN, 'packs', digest.slice(0, 2), digest)
}

async function writeVerified(path: string, bytes: Uint8Array, { sha256: wanted }: Digested): Promise<void> {
  await writeSynced(path, bytes)
  await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  const hash = createHash('sha256')
  for await (const piece of file.createReadStream({ autoClose: false })) hash.update(piece as Buffer)
  if (hash.digest('hex') === wanted) return
  throw new VmpkgError('DISK_FAILED', `${JSON.stringify(path)} does not read as it was written`, {
    hint: 'The disk that holds the backups is not to be trusted: look at its log (dmesg) and use another.',
  })
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  await rm(path, { force: true })
  await using file = await open(path, 'wx', 0o600)
  await file.writeFile(bytes)
  await file.sync()
}

async function readDigested(path: string, expected: Digested, limit: number): Promise<Uint8Array> {
  const bytes = await readBounded(path, Math.min(limit, expected.size))
  if (bytes.length === expected.size && sha256(bytes) === expected.sha256) return bytes
  throw invalid(path, 'is not what was written: it is damaged')
}

async function readBounded(path: string, limit: number): Promise<Uint8Array> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    const stats = await file.stat()
    if (!stats.isFile() || stats.size > limit) throw invalid(path, 'has not the size that it should have')
    return await file.readFile()
  } catch (cause) {
    if (systemErrorCode(cause) === 'ENOENT') throw invalid(path, 'is missing', cause)
    if (systemErrorCode(cause) === 'ELOOP') throw invalid(path, 'is a symbolic link', cause)
    throw cause
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    const stats = await lstat(path)
    return stats.isFile() ? stats.size : undefined
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined
    throw error
  }
}

async function listFolder(path: string): Promise<readonly string[]> {
  try {
    return (await readdir(path)).toSorted()
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? '')) return []
    throw error
  }
}

function invalid(path: string, fact: string, cause?: unknown): VmpkgError {
  return new VmpkgError('BACKUP_INVALID', `${JSON.stringify(path)} ${fact}`, { cause })
}
