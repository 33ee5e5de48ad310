/**
 * Reads VPN profiles from a file, a folder, or an archive as providers hand them out (VPN-2): tar, alone or in gzip, bzip2,
 * xz or zstd, and zip. Archives stay in memory; only a compressed one passes through a folder of its own. What one
 * profile is refused for keeps no other from being read.
 */
import { createHash } from 'node:crypto'
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { copyFile, mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, posix, resolve } from 'node:path'
import { damaged, FOREIGN_LIMITS, ForeignCollector, type ForeignFiles } from '../archive/foreign-entries.ts'
import { isTar, readForeignTar } from '../archive/foreign-tar.ts'
import { isZip, readForeignZip } from '../archive/foreign-zip.ts'
import { isVmpkgError, systemErrorCode, VmpkgError } from '../errors.ts'
import { decompressImage } from '../image/decompress.ts'
import type { Compression } from '../image/format.ts'
import { type FindFile, MAX_PROFILE_LENGTH, parseVpnProfile, type VpnProfile } from '../router/vpn-profile.ts'
import { scratchFolder } from './scratch.ts'
import type { Workspace } from './workspace.ts'

export interface RefusedProfile {
  /** Within the folder or archive. */
  readonly path: string
  readonly name: string
  readonly message: string
  readonly hint: string | undefined
}

interface VpnProfiles {
  readonly profiles: readonly VpnProfile[]
  /** What the files say, by the profiles' names. */
  readonly texts: ReadonlyMap<string, string>
  readonly refused: readonly RefusedProfile[]
}

const ENDING = /\.(?:ovpn|conf|ssh)$/i
const MAX_NAME = 31
const DIGEST_DIGITS = 8
const MAGIC: readonly (readonly [Compression, string])[] = [
  ['gz', '\x1f\x8b'],
  ['bz2', 'BZh'],
  ['xz', '\xfd7zXZ\0'],
  ['zst', '\x28\xb5\x2f\xfd'],
]

/**
 * @throws {VmpkgError} `USAGE` `ARCHIVE_INVALID` `ARCHIVE_ENTRY_REFUSED` `SIZE_EXCEEDED` `VPN_PROFILE_INVALID` where there
 *   is no profile at all; `TOOL_MISSING`
 */
export async function readVpnProfiles(workspace: Workspace, path: string): Promise<VpnProfiles> {
  const place = resolve(workspace.folder, path)
  const found = await stat(place).catch((cause: unknown) => {
    if (systemErrorCode(cause) !== 'ENOENT' && systemErrorCode(cause) !== 'ENOTDIR') throw cause
    throw new VmpkgError('USAGE', `There is no file ${JSON.stringify(path.slice(0, 200))}`, {
      hint: 'Name a profile, a folder of profiles or an archive of them.',
      cause,
    })
  })
  if (found.isDirectory()) return readAll(await readFolder(place), path)
  if (!found.isFile())
    throw new VmpkgError('USAGE', `${JSON.stringify(path.slice(0, 200))} is neither a file nor a folder`)
  if (found.size > FOREIGN_LIMITS.totalBytes) {
    throw new VmpkgError(
      'SIZE_EXCEEDED',
      `${JSON.stringify(path.slice(0, 200))} is larger than ${FOREIGN_LIMITS.totalBytes} bytes`,
      {
        hint: 'Is it an archive of VPN profiles?',
      },
    )
  }
  const bytes = await unpacked(workspace, place)
  if (isZip(bytes)) return readAll(readForeignZip(bytes), path)
  if (isTar(bytes)) return readAll(await readForeignTar(bytes), path)
  const name = profileName(place)
  return collect([{ path: basename(place), name, bytes, findFile: beside(dirname(place)) }])
}

/** The content of a file, out of its compression where it has one. */
async function unpacked(workspace: Workspace, file: string): Promise<Uint8Array> {
  const bytes = await readFile(file)
  const [compression] = MAGIC.find(([, magic]) => bytes.toString('latin1', 0, magic.length) === magic) ?? []
  if (compression === undefined) return bytes
  const work = scratchFolder(workspace)
  try {
    await mkdir(work, { recursive: true })
    const packed = join(work, 'packed')
    const target = join(work, 'unpacked')
    await copyFile(file, packed) // the programs want a link beside their output, on one file system
    const { processes, signal } = workspace.outside
    await decompressImage({ file: packed, compression, target, maxBytes: FOREIGN_LIMITS.totalBytes, processes, signal })
    return await readFile(target)
  } catch (error) {
    if (isVmpkgError(error, 'IMAGE_INVALID')) throw damaged(`cannot be unpacked (${compression})`, error)
    if (!isVmpkgError(error, 'SIZE_EXCEEDED')) throw error
    throw new VmpkgError('SIZE_EXCEEDED', `The archive becomes larger than ${FOREIGN_LIMITS.totalBytes} bytes`, {
      hint: 'Is it an archive of VPN profiles?',
      cause: error,
    })
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** Plain files below a folder; links are not followed. */
async function readFolder(folder: string): Promise<ForeignFiles> {
  const collector = new ForeignCollector()
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  for (const entry of entries.toSorted((a, b) => compare(join(a.parentPath, a.name), join(b.parentPath, b.name)))) {
    const path = join(entry.parentPath, entry.name)
    const name = path.slice(folder.length + 1)
    if (!entry.isFile()) continue
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    const { size } = await file.stat()
    collector.verify(name, 'File', size)
    collector.add(name, await file.readFile())
  }
  return collector.files()
}

interface Candidate {
  readonly path: string
  readonly name: string
  readonly bytes: Uint8Array
  readonly findFile: FindFile
}

function readAll(files: ForeignFiles, place: string): VpnProfiles {
  const candidates = [...files]
    .filter(([path]) => ENDING.test(path) && !basename(path).startsWith('.'))
    .toSorted(([a], [b]) => compare(a, b))
    .map(([path, bytes]): Candidate => ({ path, name: profileName(path), bytes, findFile: within(files, path) }))
  if (candidates.length > 0) return collect(candidates)
  throw new VmpkgError('VPN_PROFILE_INVALID', `There is no profile in ${JSON.stringify(place.slice(0, 200))}`, {
    hint: 'Profiles end in .ovpn, .conf or .ssh.',
  })
}

function collect(candidates: readonly Candidate[]): VpnProfiles {
  const profiles: VpnProfile[] = []
  const texts = new Map<string, string>()
  const refused: RefusedProfile[] = []
  const paths = Map.groupBy(candidates, ({ name }) => name)
  for (const { path, name, bytes, findFile } of candidates) {
    const others = (paths.get(name) ?? []).filter((one) => one.path !== path)
    if (others[0] !== undefined) {
      refused.push({
        path,
        name,
        message: `The name ${name} is that of ${JSON.stringify(others[0].path)} too`,
        hint: 'Rename one of them.',
      })
      continue
    }
    try {
      const text = decode(bytes)
      profiles.push(parseVpnProfile(name, text, findFile))
      texts.set(name, text)
    } catch (error) {
      if (!isVmpkgError(error, 'VPN_PROFILE_INVALID')) throw error
      refused.push({ path, name, message: error.message, hint: error.hint })
    }
  }
  return { profiles, texts, refused }
}

/** What is no UTF-8 shows as a character that no profile may have. */
function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}

/** `AirVPN_SE-Stockholm_UDP-443.ovpn` is `airvpn-se-stockholm-udp-443`; a name that had to be cut ends in a digest of the whole. */
export function profileName(path: string): string {
  const stem = basename(path).replace(ENDING, '')
  const plain = stem
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
  if (plain.length >= 1 && plain.length <= MAX_NAME) return plain
  const digest = createHash('sha256').update(stem).digest('hex').slice(0, DIGEST_DIGITS)
  return `${plain.slice(0, MAX_NAME - 1 - DIGEST_DIGITS)}-${digest}`.replace(/^-/, '')
}

/** A path that leads nowhere else. */
function isPlainPath(path: string): boolean {
  return /^[^/\\]/.test(path) && !path.split('/').includes('..')
}

function within(files: ForeignFiles, profile: string): FindFile {
  return (path) => {
    const bytes = isPlainPath(path) ? files.get(posix.join(posix.dirname(profile), path)) : undefined
    return bytes === undefined ? undefined : decode(bytes)
  }
}

/** Plain files in the folder of a single profile, not below it and not through links. */
function beside(folder: string): FindFile {
  return (path) => {
    if (!isPlainPath(path) || path.includes('/')) return undefined
    let file: number
    try {
      file = openSync(join(folder, path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    } catch {
      return undefined // the profile is then refused for it
    }
    try {
      const found = fstatSync(file)
      return found.isFile() && found.size <= MAX_PROFILE_LENGTH ? decode(readFileSync(file)) : undefined
    } finally {
      closeSync(file)
    }
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
