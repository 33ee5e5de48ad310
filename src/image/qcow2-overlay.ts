/**
 * Writes an empty qcow2 overlay on a base: what makes a clone, and a snapshot, take milliseconds. The backing format is
 * always named, so that no program probes what a guest may have written there.
 *
 * Source: QEMU docs/interop/qcow2.rst. Test oracles: `qemu-img check`, `qemu-img info`, `qemu-io`.
 */
import { open, rm } from 'node:fs/promises'
import { dirname, isAbsolute } from 'node:path'
import { syncFolder } from '../durable-file.ts'
import { systemErrorCode, VmpkgError } from '../errors.ts'
import { LUKS_HEADER_BYTES } from './luks-header.ts'

const CLUSTER_BITS = 16
const CLUSTER_BYTES = 2 ** CLUSTER_BITS
/** One L2 table of 8-byte entries fills a cluster and maps 512 MiB. */
const BYTES_PER_L2_TABLE = (CLUSTER_BYTES / 8) * CLUSTER_BYTES
const HEADER_BYTES = 112
const BACKING_FORMAT_EXTENSION = 0xe2792aca
const ENCRYPTION_EXTENSION = 0x0537be77
const LUKS_CLUSTERS = Math.ceil(LUKS_HEADER_BYTES / CLUSTER_BYTES)
const MAX_PATH_BYTES = 1023

export interface OverlayOptions {
  /** Must not exist, unless it is a block device. */
  readonly path: string
  /** Absolute path of the base; without one the disk begins empty. */
  readonly backing: string | undefined
  /** Of the base; raw where it is not said. */
  readonly backingFormat?: 'raw' | 'qcow2'
  /** Bytes, a multiple of 512; that of the base or more. */
  readonly virtualSize: number
  /** Survive a power cut; not needed for ephemeral clones. */
  readonly isDurable?: boolean
  /** From `formatLuksHeader`: what is written to it is encrypted. */
  readonly luks?: Buffer
  /** The path is a block device that is ours alone: what is on it is overwritten. */
  readonly isDevice?: boolean
}

/**
 * Bytes that a file with all of its disk written can take: qcow2's tables need ten for each cluster, the first ones some
 * more, and the header of LUKS its own. Test oracle: `qemu-img measure`.
 */
export function largestOverlay(virtualSize: number): number {
  return virtualSize + Math.ceil(virtualSize / CLUSTER_BYTES) * 10 + 1024 * 1024
}

/** @throws {VmpkgError} `DOMAIN_EXISTS` when the path is taken; `IMAGE_INVALID` when base or size cannot be written down. */
export async function writeOverlay(options: OverlayOptions): Promise<void> {
  const { path, backing, virtualSize, isDurable = true } = options
  const header = formatOverlay(backing, virtualSize, options)
  if (options.isDevice === true) {
    await using device = await open(path, 'r+')
    await device.write(header, 0, header.length, 0)
    await device.sync()
    return
  }
  const handle = await open(path, 'wx', 0o600).catch((cause: unknown) => {
    if (systemErrorCode(cause) !== 'EEXIST') throw cause
    throw new VmpkgError('DOMAIN_EXISTS', `There is already an overlay at ${path}`, {
      hint: 'Remove the clone of that name first, or choose another name.',
      cause,
    })
  })
  try {
    await handle.chmod(0o600)
    await handle.writeFile(header)
    if (isDurable) await handle.sync()
  } catch (error) {
    await rm(path, { force: true })
    throw error
  } finally {
    await handle.close()
  }
  if (isDurable) await syncFolder(dirname(path))
}

/**
 * Clusters: 0 header, 1 refcount table, 2 refcount block, from 3 on the empty L1 table, then the header of LUKS.
 *
 * @throws {VmpkgError} `IMAGE_INVALID`
 */
export function formatOverlay(
  backing: string | undefined,
  virtualSize: number,
  { backingFormat = 'raw', luks }: Pick<OverlayOptions, 'backingFormat' | 'luks'> = {},
): Buffer {
  const name = Buffer.from(backing ?? '')
  if (backing !== undefined && (!isAbsolute(backing) || name.length > MAX_PATH_BYTES || backing.includes('\0'))) {
    throw invalid(
      `cannot stand on ${JSON.stringify(backing.slice(0, 200))}: not an absolute path of at most 1023 bytes`,
    )
  }
  const l1Entries = Math.max(1, Math.ceil(virtualSize / BYTES_PER_L2_TABLE))
  const l1Clusters = Math.ceil((l1Entries * 8) / CLUSTER_BYTES)
  if (!Number.isSafeInteger(virtualSize) || virtualSize < 512 || virtualSize % 512 !== 0 || l1Clusters > 64) {
    throw invalid(`cannot have ${virtualSize} bytes: not a multiple of 512, or too large`)
  }
  const luksAt = (3 + l1Clusters) * CLUSTER_BYTES
  const clusters = 3 + l1Clusters + (luks === undefined ? 0 : LUKS_CLUSTERS)
  const bytes = Buffer.alloc(clusters * CLUSTER_BYTES)
  const extensionAt = HEADER_BYTES
  const encryptionAt = extensionAt + (backing === undefined ? 0 : 8 + 8) // after the extension with the format, padded to 8 bytes
  const nameAt = encryptionAt + (luks === undefined ? 0 : 8 + 16) + 8 // after the end marker
  bytes.write('QFI\xfb', 0, 'latin1')
  bytes.writeUInt32BE(3, 4)
  if (backing !== undefined) bytes.writeBigUInt64BE(BigInt(nameAt), 8)
  bytes.writeUInt32BE(name.length, 16)
  bytes.writeUInt32BE(CLUSTER_BITS, 20)
  bytes.writeBigUInt64BE(BigInt(virtualSize), 24)
  bytes.writeUInt32BE(luks === undefined ? 0 : 2, 32) // the method of encryption
  bytes.writeUInt32BE(l1Entries, 36)
  bytes.writeBigUInt64BE(BigInt(3 * CLUSTER_BYTES), 40)
  bytes.writeBigUInt64BE(BigInt(CLUSTER_BYTES), 48)
  bytes.writeUInt32BE(1, 56) // clusters of the refcount table
  bytes.writeUInt32BE(4, 96) // refcount order: 16 bits
  bytes.writeUInt32BE(HEADER_BYTES, 100)
  if (backing !== undefined) {
    bytes.writeUInt32BE(BACKING_FORMAT_EXTENSION, extensionAt)
    bytes.writeUInt32BE(backingFormat.length, extensionAt + 4)
    bytes.write(backingFormat, extensionAt + 8)
  }
  if (luks !== undefined) {
    bytes.writeUInt32BE(ENCRYPTION_EXTENSION, encryptionAt)
    bytes.writeUInt32BE(16, encryptionAt + 4)
    bytes.writeBigUInt64BE(BigInt(luksAt), encryptionAt + 8)
    bytes.writeBigUInt64BE(BigInt(LUKS_HEADER_BYTES), encryptionAt + 16)
    luks.copy(bytes, luksAt)
  }
  name.copy(bytes, nameAt)
  bytes.writeBigUInt64BE(BigInt(2 * CLUSTER_BYTES), CLUSTER_BYTES)
  for (let cluster = 0; cluster < clusters; cluster++) bytes.writeUInt16BE(1, 2 * CLUSTER_BYTES + cluster * 2)
  return bytes
}

function invalid(fact: string): VmpkgError {
  return new VmpkgError('IMAGE_INVALID', `An overlay ${fact}`)
}
