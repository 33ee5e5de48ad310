/**
 * Reads the header of a qcow2 file that may be hostile, and refuses what could make QEMU open another file of the host
 * or misread this one. Nothing is probed: callers know the format from signed data or from our own state.
 *
 * Source: QEMU docs/interop/qcow2.rst; threats A07 to A09. Test oracle: `qemu-img info`.
 */
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { VmpkgError } from '../errors.ts'

export interface Qcow2Header {
  readonly version: 2 | 3
  readonly virtualSize: number
  readonly clusterBits: number
  readonly backingFile: string | undefined
  readonly backingFormat: string | undefined
  readonly snapshotCount: number
  readonly isEncrypted: boolean
  /** Bit 0: dirty, 1: corrupt, 2: external data file, 3: compression type, 4: extended L2 entries. */
  readonly incompatibleFeatures: bigint
}

/** Header and extensions must lie in the first cluster, whose smallest size this is no more than; QEMU writes far less. */
const READ_BYTES = 64 * 1024
const BACKING_FORMAT_EXTENSION = 0xe2792aca
const DATA_FILE_EXTENSION = 0x44415441
const KNOWN_FEATURES = 0b11011n // all but the external data file
const MAX_VIRTUAL_SIZE = 2 ** 44

/** Reads at most 64 KiB. A symbolic link is refused by the system (`ELOOP`). */
export async function readQcow2Header(path: string): Promise<Qcow2Header> {
  await using handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  const buffer = Buffer.alloc(READ_BYTES)
  const { bytesRead } = await handle.read(buffer, 0, READ_BYTES, 0)
  return parseQcow2Header(buffer.subarray(0, bytesRead))
}

/**
 * Parses the start of a file.
 *
 * @throws {VmpkgError} `IMAGE_INVALID` for everything malformed and for an external data file, which is never used here
 */
export function parseQcow2Header(bytes: Buffer): Qcow2Header {
  if (bytes.length < 104 || bytes.toString('latin1', 0, 4) !== 'QFI\xfb') throw invalid('does not begin as one')
  const version = bytes.readUInt32BE(4)
  if (version !== 2 && version !== 3) throw invalid(`has version ${version}`)
  const clusterBits = bytes.readUInt32BE(20)
  if (clusterBits < 9 || clusterBits > 21) throw invalid(`has clusters of 2^${clusterBits} bytes`)
  const virtualSize = Number(bytes.readBigUInt64BE(24))
  if (virtualSize > MAX_VIRTUAL_SIZE) throw invalid('has an absurd virtual size')
  const firstCluster = Math.min(bytes.length, 2 ** clusterBits)
  const headerLength = version === 2 ? 72 : bytes.readUInt32BE(100)
  if (
    headerLength < 72 ||
    (version === 3 && headerLength < 104) ||
    headerLength % 8 !== 0 ||
    headerLength > firstCluster
  ) {
    throw invalid(`has a header of ${headerLength} bytes`)
  }
  const incompatibleFeatures = version === 2 ? 0n : bytes.readBigUInt64BE(72)
  if ((incompatibleFeatures & ~KNOWN_FEATURES) !== 0n) throw invalid('has an external data file or unknown features')
  const backingAt = Number(bytes.readBigUInt64BE(8))
  const extensions = parseExtensions(bytes.subarray(headerLength, backingAt === 0 ? firstCluster : backingAt))
  if (extensions.has(DATA_FILE_EXTENSION)) throw invalid('names an external data file')
  return {
    version,
    virtualSize,
    clusterBits,
    backingFile: parseBackingFile(bytes.subarray(0, firstCluster), backingAt, bytes.readUInt32BE(16)),
    backingFormat: extensions.get(BACKING_FORMAT_EXTENSION)?.toString('latin1'),
    snapshotCount: bytes.readUInt32BE(60),
    isEncrypted: bytes.readUInt32BE(32) !== 0,
    incompatibleFeatures,
  }
}

/**
 * Checks that an overlay of ours stands on exactly the base it should, by its explicit format, and nothing else.
 *
 * @throws {VmpkgError} `IMAGE_INVALID`
 */
export async function verifyOverlay(
  path: string,
  expected: { readonly backing: string; readonly virtualSize?: number },
): Promise<Qcow2Header> {
  const header = await readQcow2Header(path)
  if (header.backingFile !== expected.backing) throw invalid('stands on another file than its base')
  if (header.backingFormat !== 'raw') throw invalid('does not say that its base is raw')
  if (expected.virtualSize !== undefined && header.virtualSize !== expected.virtualSize) {
    throw invalid(`has ${header.virtualSize} bytes instead of ${expected.virtualSize}`)
  }
  if (header.snapshotCount > 0) throw invalid('holds internal snapshots')
  if (header.isEncrypted) throw invalid('is encrypted')
  return header
}

function parseBackingFile(cluster: Buffer, offset: number, length: number): string | undefined {
  if (offset === 0) return undefined
  if (length === 0 || length > 1023 || offset < 72 || offset + length > cluster.length) {
    throw invalid('has a backing file name outside its first cluster')
  }
  const name = cluster.subarray(offset, offset + length)
  if (name.includes(0)) throw invalid('has a backing file name with a zero byte')
  return name.toString()
}

function parseExtensions(bytes: Buffer): ReadonlyMap<number, Buffer> {
  const extensions = new Map<number, Buffer>()
  let position = 0
  while (position + 8 <= bytes.length) {
    const type = bytes.readUInt32BE(position)
    const length = bytes.readUInt32BE(position + 4)
    if (type === 0) return extensions
    const start = position + 8
    if (start + length > bytes.length) throw invalid('has a header extension that leaves its first cluster')
    if (extensions.has(type)) throw invalid('has a header extension twice')
    extensions.set(type, bytes.subarray(start, start + length))
    position = start + Math.ceil(length / 8) * 8
  }
  return extensions
}

function invalid(fact: string): VmpkgError {
  return new VmpkgError('IMAGE_INVALID', `The qcow2 file ${fact}`, {
    hint: 'Do not start the domain; remove the clone and make it again.',
  })
}
