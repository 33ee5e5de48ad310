/**
 * Where a disk's partitions are: GPT, MBR with logical partitions, or no table. Pure; every byte is the guest's, so what
 * is read is bounded and nothing is trusted to lie inside the disk.
 *
 * Source: UEFI 2.10 chapter 5. Test oracle: sfdisk --json.
 */

export interface Partition {
  /** As Linux counts; 0 for a file system on the whole disk. */
  readonly number: number
  readonly offset: number
  readonly bytes: number
}

export interface PartitionTable {
  readonly kind: 'gpt' | 'msdos' | 'none'
  readonly partitions: readonly Partition[]
}

/** The beginning of a disk that `readPartitionTable` needs at once: MBR, GPT header and 128 entries, for sectors of 4 KiB too. */
export const TABLE_BYTES = 40 * 1024

const MAX_PARTITIONS = 256
const EXTENDED = new Set([0x05, 0x0f, 0x85])

/** @param read bytes further on, for chains of logical partitions; fewer than asked for at the end of the disk */
export async function readPartitionTable(
  head: Buffer,
  diskBytes: number,
  read: (offset: number, length: number) => Promise<Buffer>,
): Promise<PartitionTable> {
  const gpt = [512, 4096].map((sector) => parseGpt(head, sector)).find((found) => found !== undefined)
  const fits = ({ offset, bytes }: Partition): boolean => bytes > 0 && offset > 0 && offset < diskBytes
  if (gpt !== undefined) return { kind: 'gpt', partitions: gpt.filter(fits) }
  const primary = looksLikeFilesystem(head) ? [] : parseMbr(head, 0)
  if (primary.length === 0) return { kind: 'none', partitions: [{ number: 0, offset: 0, bytes: diskBytes }] }
  const partitions: Partition[] = []
  for (const { index, type, offset, bytes } of primary) {
    if (EXTENDED.has(type)) partitions.push(...(await readLogical(offset, read)))
    else partitions.push({ number: index + 1, offset, bytes })
  }
  return { kind: 'msdos', partitions: partitions.filter(fits) }
}

function parseGpt(head: Buffer, sector: number): Partition[] | undefined {
  if (head.length < sector + 92 || head.toString('latin1', sector, sector + 8) !== 'EFI PART') return undefined
  const start = Number(head.readBigUInt64LE(sector + 72)) * sector
  const count = Math.min(head.readUInt32LE(sector + 80), MAX_PARTITIONS)
  const size = head.readUInt32LE(sector + 84)
  if (size < 128 || size > 4096) return []
  const found: Partition[] = []
  for (let index = 0; index < count; index++) {
    const at = start + index * size
    if (at + 48 > head.length) break
    if (head.subarray(at, at + 16).every((byte) => byte === 0)) continue
    const [first, last] = [Number(head.readBigUInt64LE(at + 32)), Number(head.readBigUInt64LE(at + 40))]
    found.push({ number: index + 1, offset: first * sector, bytes: (last - first + 1) * sector })
  }
  return found
}

interface Row {
  readonly index: number
  readonly type: number
  readonly offset: number
  readonly bytes: number
}

/** @param base bytes that its starts count from */
function parseMbr(sector: Buffer, base: number): Row[] {
  if (sector.length < 512 || sector.readUInt16LE(510) !== 0xaa55) return []
  const rows = [0, 1, 2, 3].map((index) => {
    const at = 446 + index * 16
    return {
      index,
      status: sector.readUInt8(at),
      type: sector.readUInt8(at + 4),
      offset: base + sector.readUInt32LE(at + 8) * 512,
      bytes: sector.readUInt32LE(at + 12) * 512,
    }
  })
  // A boot sector of a file system ends alike; its code seldom has four such first bytes.
  if (rows.some(({ status }) => (status & 0x7f) !== 0)) return []
  return rows.filter(({ type, bytes }) => type !== 0 && bytes > 0)
}

async function readLogical(
  start: number,
  read: (offset: number, length: number) => Promise<Buffer>,
): Promise<Partition[]> {
  const found: Partition[] = []
  const seen = new Set<number>()
  for (let at = start; !seen.has(at) && found.length < MAX_PARTITIONS; ) {
    seen.add(at)
    const sector = await read(at, 512)
    const rows = parseMbr(sector, 0)
    const own = rows.find(({ type }) => !EXTENDED.has(type))
    if (own !== undefined) found.push({ number: 5 + found.length, offset: at + own.offset, bytes: own.bytes })
    const next = rows.find(({ type }) => EXTENDED.has(type))
    if (next === undefined) break
    at = start + next.offset
  }
  return found
}

/** fat and ntfs on a whole disk begin with a boot sector, which ends as an MBR does. */
function looksLikeFilesystem(head: Buffer): boolean {
  const text = (at: number, length: number): string => head.toString('latin1', at, at + length)
  return text(3, 8) === 'NTFS    ' || text(54, 3) === 'FAT' || text(82, 5) === 'FAT32'
}
