/** Backups in a folder: which there are, which is meant, what one holds; and who may write there. */
import { lstat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { zstdDecompress } from 'node:zlib'
import {
  hasPack,
  isBackupFolder,
  listPoints,
  lockPath,
  type PointPlace,
  readSignedPoint,
  readStoredContents,
  type SignedPoint,
} from '../backup/folder.ts'
import { type Contents, isPointName, POINT_LIMITS, type Point, parseContents, parsePoint } from '../backup/point.ts'
import type { Opener } from '../backup/sealing.ts'
import { isVmpkgError, VmpkgError } from '../errors.ts'
import { isDomainName } from '../model/name.ts'
import { withLock } from '../state/lock.ts'
import type { Workspace } from './workspace.ts'

const decompress = promisify(zstdDecompress)

export interface FoundPoint {
  readonly place: PointPlace
  readonly signed: SignedPoint
  readonly point: Point
}

export interface PointChoice {
  /** The folder, `FOLDER/MACHINE` or `FOLDER/MACHINE/POINT`. */
  readonly path: string
  /** A point, or the beginning of its name; a time: the newest that is not later. */
  readonly at?: string | undefined
}

/** Which folder is meant, and which machine and point in it. @throws {VmpkgError} `BACKUP_UNKNOWN` */
export async function locateFolder(
  workspace: Workspace,
  path: string,
): Promise<{ readonly folder: string; readonly machine?: string; readonly point?: string }> {
  const whole = resolve(workspace.folder, path)
  if (await isBackupFolder(whole)) return { folder: whole }
  const [machine = '', point = ''] = [whole.split('/').at(-1), whole.split('/').at(-1)]
  const above = resolve(whole, '..')
  if (isDomainName(machine) && (await isBackupFolder(above))) return { folder: above, machine }
  const top = resolve(above, '..')
  const owner = above.split('/').at(-1) ?? ''
  if (isPointName(point) && isDomainName(owner) && (await isBackupFolder(top))) {
    return { folder: top, machine: owner, point }
  }
  throw new VmpkgError('BACKUP_UNKNOWN', `There are no backups in ${JSON.stringify(path.slice(0, 200))}`, {
    hint: 'Name the folder that vmpkg backup --to wrote to, or a backup in it: FOLDER/MACHINE/POINT.',
  })
}

/** Those that can be read at all, oldest first; what is wrong with others is a warning. */
export async function readPoints(workspace: Workspace, path: string): Promise<readonly FoundPoint[]> {
  const { folder, machine, point } = await locateFolder(workspace, path)
  const found: FoundPoint[] = []
  for (const place of await listPoints(folder)) {
    if ((machine !== undefined && machine !== place.machine) || (point !== undefined && point !== place.point)) continue
    try {
      found.push(await readPoint(place))
    } catch (error) {
      if (!isVmpkgError(error, 'BACKUP_INVALID')) throw error
      workspace.outside.emit({ type: 'warned', code: error.code, message: error.message })
    }
  }
  return found
}

/** @throws {VmpkgError} `BACKUP_INVALID` */
export async function readPoint(place: PointPlace): Promise<FoundPoint> {
  const signed = await readSignedPoint(place)
  const point = parsePoint(signed.bytes, `The backup ${place.machine}/${place.point}`)
  if (point.machine !== place.machine) {
    throw new VmpkgError('BACKUP_INVALID', `The backup ${place.machine}/${place.point} is one of ${point.machine}`)
  }
  return { place, signed, point }
}

/** The one backup that is meant. @throws {VmpkgError} `BACKUP_UNKNOWN` `BACKUP_INVALID` `USAGE` */
export async function choosePoint(workspace: Workspace, { path, at }: PointChoice): Promise<FoundPoint> {
  const { folder, machine, point } = await locateFolder(workspace, path)
  const all = (await listPoints(folder)).filter(
    (one) => (machine === undefined || machine === one.machine) && (point === undefined || point === one.point),
  )
  const machines = [...new Set(all.map((one) => one.machine))]
  if (machines.length > 1) {
    throw new VmpkgError('USAGE', `There are backups of ${machines.length} machines in ${JSON.stringify(folder)}`, {
      hint: `Name one: ${machines
        .slice(0, 5)
        .map((name) => `${path.replace(/\/$/, '')}/${name}`)
        .join(', ')}`,
    })
  }
  const chosen = chooseAt(all, at)
  if (chosen !== undefined) return readPoint(chosen)
  const when = at === undefined ? '' : ` of ${JSON.stringify(at.slice(0, 40))}`
  throw new VmpkgError('BACKUP_UNKNOWN', `There is no backup${when} in ${JSON.stringify(path.slice(0, 200))}`, {
    hint: `vmpkg backup list ${path} shows what there is.`,
  })
}

function chooseAt(places: readonly PointPlace[], at: string | undefined): PointPlace | undefined {
  if (at === undefined) return places.at(-1)
  const named = places.filter(({ point }) => point.startsWith(at.toUpperCase()))
  if (named.length > 0) return named.at(-1)
  const time = new Date(at)
  if (Number.isNaN(time.getTime())) return undefined
  const limit = time
    .toISOString()
    .replace(/\.\d{3}/, '')
    .replaceAll(/[-:]/g, '')
  return places.findLast(({ point }) => point <= limit)
}

/** @throws {VmpkgError} `BACKUP_INVALID`, `KEY_UNKNOWN` where it is encrypted and there is no key */
export async function readContents({ place, point }: FoundPoint, open: Opener | undefined): Promise<Contents> {
  const subject = `The backup ${place.machine}/${place.point}`
  const stored = await readStoredContents(place, point.contents)
  const packed = await openStored(point, stored, open, subject)
  let bytes: Uint8Array
  try {
    bytes = await decompress(packed, { maxOutputLength: POINT_LIMITS.contents })
  } catch (cause) {
    throw new VmpkgError('BACKUP_INVALID', `${subject} has contents that cannot be unpacked`, { cause })
  }
  const contents = parseContents(bytes, `${subject}: its contents`)
  const named = new Set(contents.packs.map(({ sha256 }) => sha256))
  if (contents.packs.length !== point.packs.length || point.packs.some(({ sha256 }) => !named.has(sha256))) {
    throw new VmpkgError('BACKUP_INVALID', `${subject} names other packs than its contents`)
  }
  return contents
}

async function openStored(
  { encryptedTo }: Point,
  stored: Uint8Array,
  open: Opener | undefined,
  subject: string,
): Promise<Uint8Array> {
  if (encryptedTo.length === 0) return stored
  if (open !== undefined) return open(stored, subject)
  throw needsKey(subject, encryptedTo)
}

export function needsKey(subject: string, encryptedTo: Point['encryptedTo']): VmpkgError {
  return new VmpkgError('KEY_UNKNOWN', `${subject} is encrypted to ${encryptedTo.join(', ')}`, {
    hint: 'Name the secret key with --secret-key FILE (gpg --export-secret-keys KEY > FILE).',
    details: { encryptedTo },
  })
}

/** Packs that a backup names and that are not there as they should be. */
export async function findMissingPacks({ place, point }: FoundPoint): Promise<readonly string[]> {
  const missing: string[] = []
  for (const pack of point.packs) if (!(await hasPack(place.folder, pack))) missing.push(pack.sha256)
  return missing
}

/** One vmpkg at a time writes into a folder, also from several hosts that share it, as far as its locks do. */
export async function whileFolderIsOurs<T>(
  { command, outside: { signal } }: Workspace,
  folder: string,
  use: () => Promise<T>,
): Promise<T> {
  return withLock({ path: lockPath(folder), command, signal }, use)
}

export async function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  )
}
