/**
 * What the first bytes of a guest's disk say about the rest: partitions, or a file system on the whole disk; and where
 * the second copy of a GPT goes when the disk gets another size. Pure; the bytes are the guest's, so hostile.
 *
 * Source: UEFI 2.10 chapter 5; ext4, XFS, Btrfs and NTFS superblocks. Test oracles: `sfdisk --verify`, `sfdisk -J`, `mke2fs`.
 */
import { crc32 } from 'node:zlib'

/** Bytes from the start of the disk that are enough for all of it. */
export const DISK_HEAD_BYTES = 128 * 1024

interface Partition {
  readonly number: number
  /** Bytes from the start of the disk. */
  readonly start: number
  readonly end: number
  /** Of a GPT a GUID, of an MBR two hexadecimal digits. */
  readonly type: string
  readonly name: string
}

export interface DiskContents {
  readonly kind: 'gpt' | 'mbr' | 'damaged gpt' | 'ext' | 'xfs' | 'btrfs' | 'ntfs' | 'whole disk' | 'unknown'
  readonly partitions: readonly Partition[]
  /** Bytes that the disk must have for what is on it; absent where that is not known. */
  readonly neededBytes: number | undefined
}

export interface DiskWrite {
  readonly offset: number
  readonly bytes: Buffer
}

interface Gpt {
  readonly sectorBytes: number
  readonly header: Buffer
  readonly entries: Buffer
  readonly partitions: readonly Partition[]
}

const MBR_TABLE = 446
const PROTECTIVE = 0xee

export function readDiskContents(head: Buffer): DiskContents {
  const gpt = readGpt(head)
  if (gpt !== undefined) return { kind: 'gpt', partitions: gpt.partitions, neededBytes: neededBy(gpt) }
  if (hasGptMark(head)) return { kind: 'damaged gpt', partitions: [], neededBytes: undefined }
  const { kind, bytes } = readFileSystem(head) ?? {}
  if (kind !== undefined) return { kind, partitions: [], neededBytes: bytes }
  const partitions = readMbr(head)
  if (partitions.length === 0) return { kind: 'unknown', partitions, neededBytes: undefined }
  if (partitions.some(({ type }) => type === PROTECTIVE.toString(16))) {
    return { kind: 'damaged gpt', partitions: [], neededBytes: undefined }
  }
  return { kind: 'mbr', partitions, neededBytes: Math.max(...partitions.map(({ end }) => end)) }
}

/**
 * What to write so that a GPT fits a disk of another size: its second copy at the new end first, then the first copy and the
 * protective MBR that name it. Empty where the disk has no GPT. The disk must be large enough for it (`neededBytes`).
 */
export function moveGpt(head: Buffer, sizeBytes: number): readonly DiskWrite[] {
  const gpt = readGpt(head)
  if (gpt === undefined) return []
  const { sectorBytes, entries } = gpt
  const sectors = BigInt(Math.floor(sizeBytes / sectorBytes))
  const copyAt = sectors - 1n - BigInt(Math.ceil(entries.length / sectorBytes))
  const primary = Buffer.from(gpt.header)
  primary.writeBigUInt64LE(sectors - 1n, 32)
  primary.writeBigUInt64LE(copyAt - 1n, 48)
  const copy = Buffer.from(primary)
  copy.writeBigUInt64LE(sectors - 1n, 24)
  copy.writeBigUInt64LE(primary.readBigUInt64LE(24), 32)
  copy.writeBigUInt64LE(copyAt, 72)
  const bytesOf = (sector: bigint): number => Number(sector) * sectorBytes
  return [
    { offset: bytesOf(copyAt), bytes: padded(entries, sectorBytes) },
    { offset: bytesOf(sectors - 1n), bytes: padded(sealed(copy), sectorBytes) },
    { offset: sectorBytes, bytes: padded(sealed(primary), sectorBytes) },
    ...moveProtective(head, sectors),
  ]
}

function neededBy({ sectorBytes, entries, partitions }: Gpt): number {
  const firstUsed = 2 * sectorBytes + entries.length
  const end = partitions.reduce((last, one) => Math.max(last, one.end), firstUsed)
  return end + sectorBytes + Math.ceil(entries.length / sectorBytes) * sectorBytes
}

function hasGptMark(head: Buffer): boolean {
  return [512, 4096].some((at) => head.toString('latin1', at, at + 8) === 'EFI PART')
}

function readGpt(head: Buffer): Gpt | undefined {
  for (const sectorBytes of [512, 4096]) {
    if (head.length < 2 * sectorBytes || head.toString('latin1', sectorBytes, sectorBytes + 8) !== 'EFI PART') continue
    const length = head.readUInt32LE(sectorBytes + 12)
    if (length < 92 || length > sectorBytes) continue
    const header = Buffer.from(head.subarray(sectorBytes, sectorBytes + length))
    if (!sealed(header).equals(header) || header.readBigUInt64LE(24) !== 1n) continue
    const count = header.readUInt32LE(80)
    const entryBytes = header.readUInt32LE(84)
    const at = Number(header.readBigUInt64LE(72)) * sectorBytes
    if (count > 1024 || entryBytes < 128 || entryBytes > 4096 || at + count * entryBytes > head.length) continue
    const entries = head.subarray(at, at + count * entryBytes)
    if (crc32(entries) !== header.readUInt32LE(88)) continue
    return { sectorBytes, header, entries, partitions: readEntries(entries, entryBytes, sectorBytes) }
  }
  return undefined
}

function readEntries(entries: Buffer, entryBytes: number, sectorBytes: number): readonly Partition[] {
  const found: Partition[] = []
  for (let at = 0; at + entryBytes <= entries.length; at += entryBytes) {
    const type = formatGuid(entries.subarray(at, at + 16))
    if (/^[0-]+$/.test(type)) continue
    const start = Number(entries.readBigUInt64LE(at + 32)) * sectorBytes
    const end = (Number(entries.readBigUInt64LE(at + 40)) + 1) * sectorBytes
    const name = entries.toString('utf16le', at + 56, at + 128).replace(/\0[^]*$/, '')
    found.push({ number: at / entryBytes + 1, start, end, type, name })
  }
  return found
}

function formatGuid(bytes: Buffer): string {
  const swapped = Buffer.from([3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15].map((at) => bytes[at] ?? 0))
  return swapped.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

/** With the checksum that its bytes ask for. */
function sealed(header: Buffer): Buffer {
  const bytes = Buffer.from(header)
  bytes.writeUInt32LE(0, 16)
  bytes.writeUInt32LE(crc32(bytes), 16)
  return bytes
}

function padded(bytes: Buffer, sectorBytes: number): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(Math.ceil(bytes.length / sectorBytes) * sectorBytes - bytes.length)])
}

/** Only where it covers the disk and nothing else is in it; a hybrid MBR is its owner's affair. */
function moveProtective(head: Buffer, sectors: bigint): readonly DiskWrite[] {
  const entries = [0, 1, 2, 3].map((number) => head.subarray(MBR_TABLE + number * 16, MBR_TABLE + number * 16 + 16))
  const [first, ...others] = entries
  if (first?.[4] !== PROTECTIVE || others.some((entry) => entry.some((byte) => byte !== 0))) return []
  const bytes = Buffer.from(head.subarray(0, 512))
  bytes.writeUInt32LE(Number(sectors > 0xffff_ffffn ? 0xffff_ffffn : sectors - 1n), MBR_TABLE + 12)
  return [{ offset: 0, bytes }]
}

/** Nothing where it is no partition table: boot sectors of file systems end in the same two bytes. */
function readMbr(head: Buffer): readonly Partition[] {
  if (head.length < 512 || head.readUInt16LE(510) !== 0xaa55) return []
  const found: Partition[] = []
  for (let number = 1; number <= 4; number++) {
    const at = MBR_TABLE + (number - 1) * 16
    const [status = 0, type = 0] = [head[at], head[at + 4]]
    const [start, sectors] = [head.readUInt32LE(at + 8) * 512, head.readUInt32LE(at + 12) * 512]
    if (status !== 0 && status !== 0x80) return []
    if (type === 0 && sectors === 0) continue
    if (type === 0 || start === 0 || sectors === 0) return []
    found.push({ number, start, end: start + sectors, type: type.toString(16).padStart(2, '0'), name: '' })
  }
  return found
}

function readFileSystem(
  head: Buffer,
): { readonly kind: DiskContents['kind']; readonly bytes: number | undefined } | undefined {
  const text = (at: number, length: number): string => head.toString('latin1', at, at + length)
  if (head.length < DISK_HEAD_BYTES) return undefined
  if (text(0, 4) === 'XFSB') return { kind: 'xfs', bytes: head.readUInt32BE(4) * Number(head.readBigUInt64BE(8)) }
  if (text(65_600, 8) === '_BHRfS_M') return { kind: 'btrfs', bytes: Number(head.readBigUInt64LE(65_648)) }
  if (text(3, 8) === 'NTFS    ') {
    const sectorBytes = head.readUInt16LE(11)
    return { kind: 'ntfs', bytes: (Number(head.readBigUInt64LE(40)) + 1) * sectorBytes }
  }
  if (head.readUInt16LE(1080) === 0xef53) {
    const is64 = (head.readUInt32LE(1024 + 96) & 0x80) !== 0
    const blocks = head.readUInt32LE(1028) + (is64 ? head.readUInt32LE(1024 + 336) * 2 ** 32 : 0)
    return { kind: 'ext', bytes: blocks * 2 ** (10 + Math.min(head.readUInt32LE(1048), 6)) }
  }
  // These use the disk to its end, and say nowhere in one place how large it was.
  const isWhole = text(0, 6) === 'LUKS\xba\xbe' || text(512, 8) === 'LABELONE' || text(4086, 10) === 'SWAPSPACE2'
  return isWhole ? { kind: 'whole disk', bytes: undefined } : undefined
}
