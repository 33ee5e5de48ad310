/**
 * Small ISO 9660 volumes with one folder of files, whose names stand in Rock Ridge records. Written here because a program
 * that does it takes 130 ms to start, more than all else that a clone needs beside libvirt itself (docs/performance.md); read
 * here so that nothing else is needed for it. Equal files give equal bytes.
 *
 * Sources: ECMA-119 (ISO 9660), IEEE P1281 (SUSP 1.10) and P1282 (RRIP 1.10). Test oracles: xorriso reads what is written here
 * and writes what is read here.
 */
import { VmpkgError } from '../errors.ts'

const SECTOR = 2048
/** Where the volume descriptors begin. */
const FIRST_DESCRIPTOR = 16
const PATH_TABLE_LSB = 18
const PATH_TABLE_MSB = 19
const ROOT = 20
/** Length of the only record of a path table, the root's. */
const PATH_TABLE_BYTES = 10
const FOLDER_FLAG = 2
/** Of a field that needs more room than a directory record has. */
const CONTINUED = 'CE'
const FILE_MODE = 0o100444
const FOLDER_MODE = 0o40555
/** Of a name that is not one of ISO 9660's own eight and three characters. */
const SHORT = /^([A-Z0-9_]{1,8})(?:\.([A-Z0-9_]{1,3}))?$/
const MAXIMUM_CONTINUATIONS = 8

export interface IsoVolume {
  /** Of at most 32 characters of `[A-Z0-9_]`. */
  readonly label: string
  /** Of at most 100 ASCII characters each, without `/`. */
  readonly files: ReadonlyMap<string, Uint8Array>
  /** Every time stamp on it, in seconds since 1970. */
  readonly seconds: number
}

interface Extent {
  readonly sector: number
  readonly bytes: number
}

/** The whole volume; its files belong to root and can be read by everybody. */
export function formatIso({ label, files, seconds }: IsoVolume): Buffer {
  const names = shortNames([...files.keys()].toSorted((a, b) => (a < b ? -1 : 1)))
  const time = shortTime(seconds)
  const records = (at: ReadonlyMap<string, Extent>, root: Extent, text: Extent): readonly Buffer[] => [
    record('\0', root, time, { isFolder: true, fields: [sharing(), ...facts(FOLDER_MODE, time), continuation(text)] }),
    record('\x01', root, time, { isFolder: true, fields: facts(FOLDER_MODE, time) }),
    ...[...names].map(([short, name]) =>
      record(`${short};1`, at.get(name) ?? NOWHERE, time, {
        isFolder: false,
        fields: [...facts(FILE_MODE, time), fullName(name)],
      }),
    ),
  ]
  // How long records are does not depend on where things are.
  const rootBytes = layRecords(records(new Map(), NOWHERE, NOWHERE)).length
  const extension = extensionReference()
  const root = { sector: ROOT, bytes: rootBytes }
  const text = { sector: ROOT + rootBytes / SECTOR, bytes: extension.length }
  let next = text.sector + 1
  const at = new Map<string, Extent>()
  for (const name of names.values()) {
    const { length } = files.get(name) ?? []
    at.set(name, { sector: next, bytes: length })
    next += Math.ceil(length / SECTOR)
  }
  const volume = Buffer.alloc(next * SECTOR)
  const put = (sector: number, bytes: Uint8Array): void => volume.set(bytes, sector * SECTOR)
  put(FIRST_DESCRIPTOR, primaryDescriptor({ label, sectors: next, root, time, seconds }))
  put(FIRST_DESCRIPTOR + 1, Buffer.from('\xffCD001\x01', 'latin1'))
  put(PATH_TABLE_LSB, pathTable(root, 'LE'))
  put(PATH_TABLE_MSB, pathTable(root, 'BE'))
  put(root.sector, layRecords(records(at, root, text)))
  put(text.sector, extension)
  for (const [name, { sector }] of at) put(sector, files.get(name) ?? new Uint8Array())
  return volume
}

const NOWHERE: Extent = { sector: 0, bytes: 0 }

/** Names that readers without Rock Ridge see, each once, with the real ones. */
function shortNames(names: readonly string[]): ReadonlyMap<string, string> {
  const known = new Map<string, string>()
  for (const [index, name] of names.entries()) {
    const upper = name.toUpperCase()
    if (SHORT.test(upper) && !known.has(upper)) {
      known.set(upper, name)
      continue
    }
    const dot = upper.lastIndexOf('.')
    const [base, extension] = dot < 1 ? [upper, ''] : [upper.slice(0, dot), upper.slice(dot + 1)]
    const clean = (part: string, length: number): string => part.replaceAll(/[^A-Z0-9_]/g, '_').slice(0, length)
    for (let number = index; ; number++) {
      const short = `${clean(base, 5)}${String(number).padStart(3, '0')}${extension === '' ? '' : `.${clean(extension, 3)}`}`
      if (known.has(short) || names.some((other) => other.toUpperCase() === short)) continue
      known.set(short, name)
      break
    }
  }
  return new Map([...known].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

/** ECMA-119 9.1; what does not end with a full stop or an extension still has the full stop. */
function record(
  name: string,
  { sector, bytes }: Extent,
  time: Buffer,
  { isFolder, fields }: { readonly isFolder: boolean; readonly fields: readonly Buffer[] },
): Buffer {
  const identifier = Buffer.from(isFolder || name.includes('.') ? name : name.replace(';', '.;'), 'latin1')
  const head = Buffer.alloc(33 + identifier.length + (identifier.length % 2 === 0 ? 1 : 0))
  putBoth(head, 2, sector)
  putBoth(head, 10, bytes)
  time.copy(head, 18)
  head[25] = isFolder ? FOLDER_FLAG : 0
  putBothShort(head, 28, 1)
  head[32] = identifier.length
  identifier.copy(head, 33)
  const use = Buffer.concat(fields)
  const whole = Buffer.concat([head, use, Buffer.alloc(use.length % 2)])
  if (whole.length > 255) throw new TypeError(`a record of ${whole.length} bytes`)
  whole[0] = whole.length
  return whole
}

/** Whole sectors; no record lies across two. */
function layRecords(records: readonly Buffer[]): Buffer {
  const sectors: Buffer[] = []
  let sector: Buffer[] = []
  let used = 0
  const close = (): void => {
    sectors.push(Buffer.concat([...sector, Buffer.alloc(SECTOR - used)]))
    sector = []
    used = 0
  }
  for (const one of records) {
    if (used + one.length > SECTOR) close()
    sector.push(one)
    used += one.length
  }
  close()
  return Buffer.concat(sectors)
}

/** SUSP `SP`: fields begin right after names. */
function sharing(): Buffer {
  return field('SP', Buffer.from([0xbe, 0xef, 0]))
}

/** RRIP `PX` and `TF` (changed, read, attributes changed). */
function facts(mode: number, time: Buffer): readonly Buffer[] {
  const owner = Buffer.alloc(32)
  putBoth(owner, 0, mode)
  putBoth(owner, 8, 1)
  return [field('PX', owner), field('TF', Buffer.concat([Buffer.from([0b1110]), time, time, time]))]
}

/** RRIP `NM`. */
function fullName(name: string): Buffer {
  return field('NM', Buffer.concat([Buffer.from([0]), Buffer.from(name, 'latin1')]))
}

/** SUSP `CE`. */
function continuation({ sector, bytes }: Extent): Buffer {
  const place = Buffer.alloc(24)
  putBoth(place, 0, sector)
  putBoth(place, 16, bytes)
  return field(CONTINUED, place)
}

/** SUSP `ER`, which says that Rock Ridge is meant; the identifier alone, its words are free. */
function extensionReference(): Buffer {
  const [id, words, source] = ['RRIP_1991A', 'ROCK RIDGE', 'IEEE P1282'].map((one) => Buffer.from(one, 'latin1'))
  const parts = [id, words, source].map((one) => one ?? Buffer.alloc(0))
  return field('ER', Buffer.concat([Buffer.from([...parts.map(({ length }) => length), 1]), ...parts]))
}

function field(signature: string, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from(signature, 'latin1'), Buffer.from([content.length + 4, 1]), content])
}

/** ECMA-119 8.4. */
function primaryDescriptor({
  label,
  sectors,
  root,
  time,
  seconds,
}: {
  readonly label: string
  readonly sectors: number
  readonly root: Extent
  readonly time: Buffer
  readonly seconds: number
}): Buffer {
  const bytes = Buffer.alloc(SECTOR)
  bytes.write('\x01CD001\x01', 0, 'latin1')
  bytes.fill(' ', 8, 72)
  bytes.write(label, 40, 'latin1')
  putBoth(bytes, 80, sectors)
  putBothShort(bytes, 120, 1) // volumes of the set
  putBothShort(bytes, 124, 1) // which of them this is
  putBothShort(bytes, 128, SECTOR)
  putBoth(bytes, 132, PATH_TABLE_BYTES)
  bytes.writeUInt32LE(PATH_TABLE_LSB, 140)
  bytes.writeUInt32BE(PATH_TABLE_MSB, 148)
  record('\0', root, time, { isFolder: true, fields: [] }).copy(bytes, 156)
  bytes.fill(' ', 190, 813) // names of publishers and files: none
  const [made, never] = [longTime(seconds), '0'.repeat(16)]
  for (const [index, when] of [made, made, never, never].entries()) bytes.write(when, 813 + 17 * index, 'latin1')
  bytes[881] = 1
  return bytes
}

/** ECMA-119 9.4, the root alone. */
function pathTable({ sector }: Extent, order: 'LE' | 'BE'): Buffer {
  const bytes = Buffer.alloc(PATH_TABLE_BYTES)
  bytes[0] = 1
  if (order === 'LE') {
    bytes.writeUInt32LE(sector, 2)
    bytes.writeUInt16LE(1, 6)
  } else {
    bytes.writeUInt32BE(sector, 2)
    bytes.writeUInt16BE(1, 6)
  }
  return bytes
}

function shortTime(seconds: number): Buffer {
  const date = new Date(seconds * 1000)
  const days = [date.getUTCFullYear() - 1900, date.getUTCMonth() + 1, date.getUTCDate()]
  return Buffer.from([...days, date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds(), 0])
}

/** To a hundredth of a second, without the byte for the time zone. */
function longTime(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().replaceAll(/\D/g, '').slice(0, 14)}00`
}

function putBoth(bytes: Buffer, at: number, value: number): void {
  bytes.writeUInt32LE(value, at)
  bytes.writeUInt32BE(value, at + 4)
}

function putBothShort(bytes: Buffer, at: number, value: number): void {
  bytes.writeUInt16LE(value, at)
  bytes.writeUInt16BE(value, at + 2)
}

/**
 * The files of a volume's root folder, by their Rock Ridge names; folders in it are left out. Nothing outside of the given
 * bytes is read, whatever the volume says.
 * @param subject names it in messages
 * @throws {VmpkgError} `IMAGE_INVALID`
 */
export function parseIso(volume: Buffer, subject: string): ReadonlyMap<string, Uint8Array> {
  const fault = (reason: string): VmpkgError =>
    new VmpkgError('IMAGE_INVALID', `${subject} is not a volume that vmpkg can read: ${reason}`, {
      hint: 'Make the machine anew, or restore the file from a backup.',
    })
  const part = ({ sector, bytes }: Extent, what: string): Buffer => {
    const from = sector * SECTOR
    if (from + bytes > volume.length) throw fault(`${what} is outside of it`)
    return volume.subarray(from, from + bytes)
  }
  const descriptor = part({ sector: FIRST_DESCRIPTOR, bytes: SECTOR }, 'its descriptor')
  if (descriptor.toString('latin1', 0, 7) !== '\x01CD001\x01') throw fault('it has no volume descriptor')
  const folder = part(extentOf(descriptor.subarray(156)), 'its folder')
  const files = new Map<string, Uint8Array>()
  let at = 0
  while (at < folder.length) {
    const length = folder[at] ?? 0
    if (length === 0) {
      at = (Math.floor(at / SECTOR) + 1) * SECTOR
      continue
    }
    const entry = folder.subarray(at, at + length)
    const identifierBytes = entry[32] ?? 0
    if (entry.length < length || 33 + identifierBytes > length) throw fault('a record of its folder is cut off')
    at += length
    if (((entry[25] ?? 0) & FOLDER_FLAG) !== 0) continue
    const use = 33 + identifierBytes + (identifierBytes % 2 === 0 ? 1 : 0)
    const short = entry.toString('latin1', 33, 33 + identifierBytes)
    const name = readName(entry.subarray(use), part) ?? short.replace(/\.?;1$/, '')
    files.set(name, part(extentOf(entry), `the file ${JSON.stringify(name.slice(0, 80))}`))
  }
  return files
}

function extentOf(entry: Buffer): Extent {
  return { sector: entry.readUInt32LE(2), bytes: entry.readUInt32LE(10) }
}

/** The parts of `NM`, also where fields go on elsewhere. */
function readName(fields: Buffer, part: (extent: Extent, what: string) => Buffer): string | undefined {
  let name: string | undefined
  let rest: Buffer | undefined = fields
  for (let count = 0; rest !== undefined && count < MAXIMUM_CONTINUATIONS; count++) {
    let next: Buffer | undefined
    for (let at = 0; at + 4 <= rest.length; ) {
      const length = rest[at + 2] ?? 0
      if (length < 4 || at + length > rest.length) break
      const content = rest.subarray(at + 4, at + length)
      const signature = rest.toString('latin1', at, at + 2)
      if (signature === 'NM') name = (name ?? '') + content.toString('latin1', 1)
      if (signature === CONTINUED && content.length >= 24) {
        const [sector, offset, bytes] = [content.readUInt32LE(0), content.readUInt32LE(8), content.readUInt32LE(16)]
        next = part({ sector, bytes: offset + bytes }, 'a part of a name').subarray(offset)
      }
      at += length
    }
    rest = next
  }
  return name
}
