/**
 * Zip files, read into memory within the limits of foreign archives: stored and deflated entries, no encryption, one disk.
 * The central directory counts; an entry whose own header says something else is refused.
 *
 * Source: PKWARE APPNOTE 6.3.10, sections 4.3 and 4.4. Test oracle: Python's `zipfile`.
 */
import { crc32, inflateRawSync } from 'node:zlib'
import { damaged, FOREIGN_LIMITS, ForeignCollector, type ForeignFiles, refused } from './foreign-entries.ts'

const END = 0x0605_4b50
const END_BYTES = 22
const CENTRAL = 0x0201_4b50
const CENTRAL_BYTES = 46
const LOCAL = 0x0403_4b50
const LOCAL_BYTES = 30
const ENCRYPTED = 1
const UNIX = 3
const TYPE_MASK = 0o170_000
const LINK = 0o120_000

interface Entry {
  readonly name: string
  readonly flags: number
  readonly method: number
  readonly crc: number
  readonly packed: number
  readonly size: number
  readonly isLink: boolean
  readonly offset: number
}

export function isZip(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && Buffer.from(bytes.buffer, bytes.byteOffset, 4).readUInt32LE() === LOCAL
}

/** @throws {VmpkgError} `ARCHIVE_INVALID` `ARCHIVE_ENTRY_REFUSED` */
export function readForeignZip(bytes: Uint8Array): ForeignFiles {
  const zip = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  try {
    const collector = new ForeignCollector()
    for (const entry of readDirectory(zip)) {
      collector.verify(entry.name, entry.isLink ? 'SymbolicLink' : 'File', entry.size)
      if (!entry.name.endsWith('/')) collector.add(entry.name, readContent(zip, entry))
    }
    return collector.files()
  } catch (error) {
    if (error instanceof RangeError) throw damaged('is cut off', error) // a number beyond the end
    throw error
  }
}

function* readDirectory(zip: Buffer): Generator<Entry> {
  const end = findEnd(zip)
  const count = zip.readUInt16LE(end + 10)
  if (count > FOREIGN_LIMITS.entries) throw damaged(`has more than ${FOREIGN_LIMITS.entries} entries`)
  let at = zip.readUInt32LE(end + 16)
  for (let index = 0; index < count; index++) {
    if (zip.readUInt32LE(at) !== CENTRAL) throw damaged('has a damaged list of entries')
    const nameLength = zip.readUInt16LE(at + 28)
    const mode = zip.readUInt32LE(at + 38) >>> 16
    yield {
      name: zip.toString('utf8', at + CENTRAL_BYTES, at + CENTRAL_BYTES + nameLength),
      flags: zip.readUInt16LE(at + 8),
      method: zip.readUInt16LE(at + 10),
      crc: zip.readUInt32LE(at + 16),
      packed: zip.readUInt32LE(at + 20),
      size: zip.readUInt32LE(at + 24),
      isLink: zip.readUInt8(at + 5) === UNIX && (mode & TYPE_MASK) === LINK,
      offset: zip.readUInt32LE(at + 42),
    }
    at += CENTRAL_BYTES + nameLength + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32)
  }
}

function findEnd(zip: Buffer): number {
  for (let at = zip.length - END_BYTES; at >= 0; at--) {
    if (zip.readUInt32LE(at) === END && at + END_BYTES + zip.readUInt16LE(at + 20) === zip.length) return at
  }
  throw damaged('has no end, so it is no whole zip file')
}

function readContent(zip: Buffer, { name, flags, method, crc, packed, size, offset }: Entry): Uint8Array {
  if ((flags & ENCRYPTED) !== 0) throw refused(name, 'is encrypted')
  const nameEnd = offset + LOCAL_BYTES + zip.readUInt16LE(offset + 26)
  if (zip.readUInt32LE(offset) !== LOCAL || zip.toString('utf8', offset + LOCAL_BYTES, nameEnd) !== name) {
    throw refused(name, 'has another name in its own header')
  }
  const start = nameEnd + zip.readUInt16LE(offset + 28)
  if (start + packed > zip.length - END_BYTES) throw damaged('is cut off')
  const content = unpack(zip.subarray(start, start + packed), method, size, name)
  if (content.length !== size || crc32(content) !== crc) throw refused(name, 'is damaged')
  return content
}

function unpack(packed: Buffer, method: number, size: number, name: string): Uint8Array {
  if (method === 0) return packed
  if (method !== 8) throw refused(name, `is packed by method ${method}, which is not understood`)
  try {
    return inflateRawSync(packed, { maxOutputLength: Math.max(size, 1) })
  } catch (cause) {
    throw damaged(`cannot be unpacked at ${JSON.stringify(name.slice(0, 160))}`, cause)
  }
}
