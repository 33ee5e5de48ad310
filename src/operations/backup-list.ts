/** `backup list` and `backup verify`: what there is in a folder, and whether it is whole. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { readStoredContents, readStoredPack } from '../backup/folder.ts'
import { readPack } from '../backup/pack-reader.ts'
import { PackWriter } from '../backup/pack-writer.ts'
import { type Contents, DIGEST_BYTES, digestAt, POINT_LIMITS, type Point } from '../backup/point.ts'
import { type Opener, openWith, PLAIN_SEALER, readSecretKey } from '../backup/sealing.ts'
import { getMachine } from '../domain/inventory.ts'
import { throwIfAborted } from '../domain/readiness.ts'
import { isVmpkgError, VmpkgError } from '../errors.ts'
import { parseFingerprint } from '../model/fingerprint.ts'
import { choosePoint, type FoundPoint, findMissingPacks, isThere, readContents, readPoints } from './backup-folder.ts'
import { readIndexes } from './backup-index.ts'
import { findBackupKey, verifyBackup } from './backup-key.ts'
import type { Workspace } from './workspace.ts'

export interface ListedBackup {
  readonly machine: string
  readonly point: string
  readonly folder: string
  readonly createdAt: string
  readonly kind: Point['kind']
  readonly consistency: Point['consistency']
  readonly package: string
  readonly disks: readonly { readonly target: string; readonly size: number }[]
  readonly addedBytes: number
  readonly encryptedTo: readonly string[]
  readonly signer: string
  /** Whether this host made it. */
  readonly isOwn: boolean
  /** False where packs are missing: it cannot be restored. */
  readonly isComplete: boolean
}

/**
 * @param what a folder, or a machine: then the folders that it was backed up to
 * @throws {VmpkgError} `BACKUP_UNKNOWN`
 */
export async function listBackups(workspace: Workspace, what: string): Promise<readonly ListedBackup[]> {
  const own = (await findBackupKey(workspace))?.fingerprint
  const listed: ListedBackup[] = []
  for (const path of await foldersOf(workspace, what)) {
    for (const found of await readPoints(workspace, path)) {
      const { point, place } = found
      listed.push({
        machine: place.machine,
        point: place.point,
        folder: place.folder,
        createdAt: point.createdAt.toISOString(),
        kind: point.kind,
        consistency: point.consistency,
        package: `${point.package.name} ${point.package.version}`,
        disks: point.disks,
        addedBytes: point.addedBytes,
        encryptedTo: point.encryptedTo,
        signer: point.signer,
        isOwn: point.signer === own,
        isComplete: (await findMissingPacks(found)).length === 0,
      })
    }
  }
  return listed
}

async function foldersOf(workspace: Workspace, what: string): Promise<readonly string[]> {
  if (what.includes('/') || (await isThere(resolve(workspace.folder, what)))) return [what]
  const { domain, name } = await getMachine(await workspace.connect(), what)
  const folders = (await readIndexes(workspace, domain.uuid)).map(({ folder }) => folder)
  const there: string[] = []
  for (const folder of folders.toSorted()) if (await isThere(resolve(folder, name))) there.push(resolve(folder, name))
  if (there.length > 0) return there
  throw new VmpkgError('BACKUP_UNKNOWN', `No folder with backups of ${name} is known here`, {
    hint: `Name the folder: vmpkg backup list FOLDER. Or make one: vmpkg backup ${name} --to FOLDER.`,
  })
}

/** How to open what is encrypted. */
export interface OpenRequest {
  /** A file with the secret key. */
  readonly secretKey: string | undefined
  readonly passphrase: () => Promise<string>
  /** Fingerprint of another host’s key that is to be believed. */
  readonly signedBy: string | undefined
}

/** @throws {VmpkgError} `KEY_INVALID` `USAGE` */
export async function makeOpener(
  workspace: Workspace,
  { secretKey, passphrase }: Pick<OpenRequest, 'secretKey' | 'passphrase'>,
): Promise<Opener | undefined> {
  if (secretKey === undefined) return undefined
  const bytes = await readFile(resolve(workspace.folder, secretKey)).catch((cause: unknown) => {
    throw new VmpkgError('USAGE', `Cannot read the secret key ${JSON.stringify(secretKey.slice(0, 200))}`, {
      hint: 'Name a file: gpg --export-secret-keys KEY > FILE writes one.',
      cause,
    })
  })
  const key = await readSecretKey(bytes, passphrase)
  return openWith([key], POINT_LIMITS.contents)
}

export interface VerifiedBackup {
  readonly machine: string
  readonly point: string
  readonly problem: string | undefined
  /** `content`: every chunk was unpacked and compared. `files`: of an encrypted one without its key, the files as stored. */
  readonly depth: 'content' | 'files'
  readonly bytes: number
}

/** Reads all of every backup that is meant. @throws {VmpkgError} `BACKUP_UNKNOWN` `KEY_INVALID` `ABORTED` */
export async function verifyBackups(
  workspace: Workspace,
  { path, at, ...request }: OpenRequest & { readonly path: string; readonly at: string | undefined },
): Promise<readonly VerifiedBackup[]> {
  const open = await makeOpener(workspace, request)
  const all = at === undefined ? await readPoints(workspace, path) : [await choosePoint(workspace, { path, at })]
  const seen = new Set<string>()
  const verified: VerifiedBackup[] = []
  for (const found of all) {
    const { machine, point } = found.place
    const depth = found.point.encryptedTo.length > 0 && open === undefined ? 'files' : 'content'
    const bytes = found.point.packs.reduce((sum, { size }) => sum + size, found.point.contents.size)
    try {
      await verifyOne(workspace, found, { open, signedBy: request.signedBy, seen })
      verified.push({ machine, point, problem: undefined, depth, bytes })
    } catch (error) {
      if (!isVmpkgError(error) || error.code === 'ABORTED') throw error
      verified.push({ machine, point, problem: error.message, depth, bytes })
    }
  }
  return verified
}

async function verifyOne(
  workspace: Workspace,
  found: FoundPoint,
  {
    open,
    signedBy,
    seen,
  }: {
    readonly open: Opener | undefined
    readonly signedBy: string | undefined
    /** Packs that were found whole for another backup. */
    readonly seen: Set<string>
  },
): Promise<void> {
  const { place, point, signed } = found
  const { folder } = place
  const trusted = signedBy === undefined ? undefined : parseFingerprint(signedBy)
  await verifyBackup(workspace, { folder, ...signed, signer: point.signer }, trusted)
  const { signal } = workspace.outside
  if (point.encryptedTo.length > 0 && open === undefined) {
    await readStoredContents(place, point.contents)
    for (const pack of point.packs) {
      throwIfAborted(signal)
      if (!seen.has(pack.sha256)) await readStoredPack(folder, pack)
      seen.add(pack.sha256)
    }
    return
  }
  const contents = await readContents(found, open)
  requireAllChunks(contents, `The backup ${place.machine}/${place.point}`)
  const sizes = new Map(point.packs.map((pack) => [pack.sha256, pack.size]))
  const opener = point.encryptedTo.length === 0 ? undefined : open
  for (const pack of contents.packs) {
    throwIfAborted(signal)
    if (seen.has(pack.sha256)) continue
    const size = sizes.get(pack.sha256) ?? 0
    for await (const chunk of readPack(folder, { ...pack, size }, opener, () => true)) void chunk
    seen.add(pack.sha256)
  }
}

/** Every chunk of every disk is in a pack. @throws {VmpkgError} `BACKUP_INVALID` */
export function requireAllChunks({ disks, packs }: Contents, subject: string): void {
  const known = new PackWriter(
    '',
    PLAIN_SEALER,
    packs.map((pack) => ({ ...pack, size: 0 })),
  )
  for (const { target, chunks } of disks) {
    for (let chunk = 0; chunk * DIGEST_BYTES < chunks.length; chunk++) {
      const digest = digestAt(chunks, chunk)
      if (digest === undefined || known.use(digest)) continue
      throw new VmpkgError('BACKUP_INVALID', `${subject} lacks a part of the disk ${target}`)
    }
  }
}
