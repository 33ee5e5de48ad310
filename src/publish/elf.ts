/**
 * The shared libraries that an ELF file names: its DT_NEEDED entries and its interpreter, read from the program headers.
 * 64-bit little-endian files only (amd64, arm64). Rules: System V ABI, chapters 4 and 5. Test oracle: `readelf -d`.
 * The file comes from a Debian package; every offset is checked all the same.
 */
const PT_LOAD = 1
const PT_DYNAMIC = 2
const PT_INTERP = 3
const DT_NEEDED = 1n
const DT_STRTAB = 5n
const MAXIMUM_NAME = 256

export interface ElfNeeds {
  /** `libc.so.6` */
  readonly libraries: readonly string[]
  /** Absolute path of the dynamic linker. */
  readonly interpreter: string | undefined
}

interface Segment {
  readonly type: number
  readonly offset: number
  readonly address: bigint
  readonly size: number
}

/** What the file needs to run, or `undefined` when it is not a 64-bit little-endian ELF file. */
export function readElfNeeds(bytes: Buffer): ElfNeeds | undefined {
  if (bytes.length < 64 || bytes.readUInt32BE(0) !== 0x7f454c46 || bytes[4] !== 2 || bytes[5] !== 1) return undefined
  const segments = readSegments(bytes)
  if (segments === undefined) return undefined
  const interp = segments.find(({ type }) => type === PT_INTERP)
  const dynamic = segments.find(({ type }) => type === PT_DYNAMIC)
  return {
    libraries: dynamic === undefined ? [] : readLibraries(bytes, segments, dynamic),
    interpreter: interp === undefined ? undefined : readString(bytes, interp.offset),
  }
}

function readSegments(bytes: Buffer): Segment[] | undefined {
  const start = Number(bytes.readBigUInt64LE(32))
  const size = bytes.readUInt16LE(54)
  const count = bytes.readUInt16LE(56)
  if (size < 56 || count > 64 || start + size * count > bytes.length) return undefined
  return Array.from({ length: count }, (_, index) => {
    const at = start + index * size
    return {
      type: bytes.readUInt32LE(at),
      offset: Number(bytes.readBigUInt64LE(at + 8)),
      address: bytes.readBigUInt64LE(at + 16),
      size: Number(bytes.readBigUInt64LE(at + 32)),
    }
  })
}

function readLibraries(bytes: Buffer, segments: readonly Segment[], dynamic: Segment): string[] {
  const names: bigint[] = []
  let strings: number | undefined
  const end = Math.min(dynamic.offset + dynamic.size, bytes.length)
  for (let at = dynamic.offset; at + 16 <= end; at += 16) {
    const tag = bytes.readBigInt64LE(at)
    const value = bytes.readBigUInt64LE(at + 8)
    if (tag === 0n) break
    if (tag === DT_NEEDED) names.push(value)
    if (tag === DT_STRTAB) strings = fileOffset(segments, value)
  }
  if (strings === undefined) return []
  const table = strings
  return names
    .map((name) => readString(bytes, table + Number(name)) ?? '')
    .filter((name) => /^[A-Za-z0-9_.+-]+$/.test(name))
}

function fileOffset(segments: readonly Segment[], address: bigint): number | undefined {
  const segment = segments.find(
    (candidate) =>
      candidate.type === PT_LOAD &&
      address >= candidate.address &&
      address < candidate.address + BigInt(candidate.size),
  )
  return segment === undefined ? undefined : segment.offset + Number(address - segment.address)
}

function readString(bytes: Buffer, at: number): string | undefined {
  if (at < 0 || at >= bytes.length) return undefined
  const end = bytes.indexOf(0, at)
  return end === -1 || end - at > MAXIMUM_NAME ? undefined : bytes.toString('latin1', at, end)
}
