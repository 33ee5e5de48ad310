/**
 * Headers of images from outside, checked before any program of the host reads them: nothing may make QEMU open another
 * file, and size and tables must be what they claim (threats A07, A09). Pure; the bytes are hostile.
 *
 * Source: QEMU docs/interop/qcow2.rst and block/{vmdk,vdi}.c, VMDK 5.0, ECMA-119 8.4. Test oracle: `qemu-img info`.
 */
import { VmpkgError } from '../errors.ts'
import type { ImageFormat } from './format.ts'
import { parseQcow2Header } from './qcow2-header.ts'

/** 16 TiB. */
const MAX_VIRTUAL_SIZE = 2 ** 44
const SECTOR = 512
const VMDK_AT_END = 0xffff_ffff_ffff_ffffn
/** `streamOptimized` keeps the header that counts in the last three sectors of the file. */
export const TAIL_BYTES = 3 * SECTOR

export interface ForeignFile {
  /** The first 64 KiB, or all of it. */
  readonly head: Buffer
  /** The last 1536 bytes, or all of it. */
  readonly tail: Buffer
  /** Bytes of the file. */
  readonly size: number
}

/** What a caller takes care of itself, or does not mind. */
export interface AllowedInHeader {
  readonly backing?: boolean
  /** Snapshots inside the file, and marks of one that was not closed. */
  readonly blemishes?: boolean
}

/** The virtual size in bytes. @throws {VmpkgError} `IMAGE_INVALID` */
export function verifyForeignHeader(format: ImageFormat, file: ForeignFile, allowed: AllowedInHeader = {}): number {
  const size = HEADERS[format](file, allowed)
  if (!Number.isSafeInteger(size) || size <= 0 || size > MAX_VIRTUAL_SIZE) {
    throw invalid(format, `has a virtual size of ${size} bytes`)
  }
  return size
}

const HEADERS: Readonly<Record<ImageFormat, (file: ForeignFile, allowed: AllowedInHeader) => number>> = {
  raw: ({ size }) => size,
  qcow2: verifyQcow2,
  vmdk: verifyVmdk,
  vdi: verifyVdi,
  iso: verifyIso,
}

function verifyQcow2({ head, size }: ForeignFile, { backing = false, blemishes = false }: AllowedInHeader): number {
  const header = parseQcow2Header(head)
  if (!backing && header.backingFile !== undefined) throw invalid('qcow2', 'stands on another file')
  if (!blemishes && header.snapshotCount > 0) throw invalid('qcow2', 'holds internal snapshots')
  if (header.isEncrypted) throw invalid('qcow2', 'is encrypted')
  if (!blemishes && (header.incompatibleFeatures & 0b11n) !== 0n) throw invalid('qcow2', 'is marked dirty or corrupt')
  const clusterBytes = 2 ** header.clusterBits
  const extended = (header.incompatibleFeatures & 0b10000n) === 0n ? 8 : 16
  const l1Entries = head.readUInt32BE(36)
  const needed = Math.ceil(header.virtualSize / clusterBytes / (clusterBytes / extended))
  if (l1Entries < needed || l1Entries > 4 * 1024 * 1024) throw invalid('qcow2', `has ${l1Entries} first-level entries`)
  verifyTable('a first-level table', head.readBigUInt64BE(40), l1Entries * 8, clusterBytes, size)
  const refcountClusters = head.readUInt32BE(56)
  if (refcountClusters === 0) throw invalid('qcow2', 'has no reference counts')
  verifyTable('a refcount table', head.readBigUInt64BE(48), refcountClusters * clusterBytes, clusterBytes, size)
  if (header.version === 3 && head.readUInt32BE(96) > 6) throw invalid('qcow2', 'has reference counts of over 64 bits')
  return header.virtualSize
}

function verifyTable(what: string, offset: bigint, bytes: number, clusterBytes: number, size: number): void {
  const start = Number(offset)
  if (start === 0 || start % clusterBytes !== 0 || start + bytes > size) {
    throw invalid('qcow2', `has ${what} outside the file`)
  }
}

/** One file with everything in it: `monolithicSparse` or `streamOptimized`. Others name further files. */
function verifyVmdk({ head, tail, size }: ForeignFile): number {
  if (head.length < SECTOR || head.toString('latin1', 0, 4) !== 'KDMV') {
    throw invalid('vmdk', 'is a description that names other files')
  }
  const capacity = readSectors(head, 12)
  // With a capacity of 0 QEMU takes the embedded description for a list of files to open.
  if (capacity === 0) throw invalid('vmdk', 'has no capacity, and would be read as a list of files')
  const version = head.readUInt32LE(4)
  if (version < 1 || version > 3) throw invalid('vmdk', `has version ${version}`)
  if (head.readBigUInt64LE(56) === VMDK_AT_END) verifyFooter(head, tail)
  const at = readSectors(head, 28) * SECTOR
  const length = readSectors(head, 36) * SECTOR
  if (at === 0 || length === 0 || at + length > Math.min(size, head.length) || length > 20 * SECTOR) {
    throw invalid('vmdk', 'has its description in an unusual place')
  }
  verifyDescription(head.toString('latin1', at, at + length).replace(/\0[^]*$/, ''), capacity)
  return capacity * SECTOR
}

function verifyFooter(head: Buffer, tail: Buffer): void {
  const isFooter =
    tail.length === TAIL_BYTES &&
    tail.readUInt32LE(8) === 0 &&
    tail.readUInt32LE(12) === 3 &&
    tail.toString('latin1', SECTOR, SECTOR + 4) === 'KDMV'
  const same = (start: number, end: number): boolean =>
    head.subarray(start, end).equals(tail.subarray(SECTOR + start, SECTOR + end))
  // All but the place of the grain directory, which only the footer knows.
  if (!isFooter || !same(4, 56) || !same(64, 79)) throw invalid('vmdk', 'has a footer that contradicts its header')
}

function verifyDescription(text: string, capacity: number): void {
  const lines = text.split(/\r?\n/)
  const values = (key: string): string[] =>
    lines.flatMap((line) => {
      const [, name, value] = /^\s*([A-Za-z.]+)\s*=\s*"?([^"]*)"?\s*$/.exec(line) ?? []
      return name?.toLowerCase() === key.toLowerCase() && value !== undefined ? [value] : []
    })
  const [type, ...otherTypes] = values('createType')
  if (otherTypes.length > 0 || (type !== 'monolithicSparse' && type !== 'streamOptimized')) {
    throw invalid('vmdk', `is of type ${JSON.stringify((type ?? '').slice(0, 40))}, which may name other files`)
  }
  const parents = values('parentCID')
  if (parents.some((one) => one.toLowerCase() !== 'ffffffff')) throw invalid('vmdk', 'stands on another file')
  if (/parentFileNameHint/i.test(text)) throw invalid('vmdk', 'names a parent')
  const extents = lines.filter((line) => /^\s*(?:RW|RDONLY|NOACCESS)\s/i.test(line))
  const [extent, ...others] = extents
  const [, sectors, name] = /^RW ([0-9]{1,15}) SPARSE "([^"/\\]{1,255})"\s*$/.exec(extent ?? '') ?? []
  if (others.length > 0 || name === undefined || Number(sectors) !== capacity) {
    throw invalid('vmdk', 'has extents other than itself')
  }
}

function readSectors(head: Buffer, at: number): number {
  const value = head.readBigUInt64LE(at)
  if (value > BigInt(MAX_VIRTUAL_SIZE / SECTOR)) throw invalid('vmdk', 'has a size or a place that is absurd')
  return Number(value)
}

function verifyVdi({ head, size }: ForeignFile): number {
  if (head.length < SECTOR || head.readUInt32LE(64) !== 0xbeda107f) throw invalid('vdi', 'does not begin as one')
  if (head.readUInt32LE(68) !== 0x00010001) throw invalid('vdi', 'has another version than 1.1')
  const type = head.readUInt32LE(76)
  if (type !== 1 && type !== 2) throw invalid('vdi', 'is a difference to another file')
  if (head.subarray(424, 456).some((byte) => byte !== 0)) throw invalid('vdi', 'names a parent')
  const virtualSize = Number(head.readBigUInt64LE(368))
  const blockBytes = head.readUInt32LE(376)
  const blocks = head.readUInt32LE(384)
  if (head.readUInt32LE(360) !== SECTOR || blockBytes !== 1024 * 1024) throw invalid('vdi', 'has unusual blocks')
  if (blocks !== Math.ceil(virtualSize / blockBytes)) throw invalid('vdi', 'has a size that is not that of its blocks')
  const mapAt = head.readUInt32LE(340)
  const dataAt = head.readUInt32LE(344)
  const allocated = head.readUInt32LE(388)
  if (mapAt < SECTOR || mapAt + blocks * 4 > dataAt || dataAt > size) throw invalid('vdi', 'has a map outside the file')
  if (allocated > blocks || dataAt + allocated * blockBytes > size) throw invalid('vdi', 'is cut off')
  return virtualSize
}

/** The primary volume descriptor; what a hybrid image has after the volume is its own affair. */
function verifyIso({ head, size }: ForeignFile): number {
  const at = 32_768
  if (head.length < at + 2048 || head.toString('latin1', at + 1, at + 6) !== 'CD001') {
    throw invalid('iso', 'does not begin as one')
  }
  if (head[at] !== 1) throw invalid('iso', 'does not begin with its primary volume descriptor')
  const blockBytes = head.readUInt16LE(at + 128)
  const volumeBytes = head.readUInt32LE(at + 80) * blockBytes
  if (blockBytes !== 2048 || volumeBytes === 0) throw invalid('iso', 'has unusual blocks')
  if (volumeBytes > size) throw invalid('iso', `is cut off: ${size} of ${volumeBytes} bytes`)
  return size
}

function invalid(format: ImageFormat, fact: string): VmpkgError {
  return new VmpkgError('IMAGE_INVALID', `The ${format} image ${fact}`, {
    hint: 'It is refused before anything opens it. Get it from another place, or convert it where it was made.',
  })
}
