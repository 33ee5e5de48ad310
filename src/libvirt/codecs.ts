/**
 * Typed codecs over XDR. A codec is at once the wire form, the type a caller gets (`Out`) and the type a caller gives
 * (`In`); the procedure tables are made of them, so types, encoding and methods cannot disagree.
 * Flags are lists of names, enumerations are names, 64-bit numbers are `bigint`, UUIDs are lower-case text.
 */
import { type Reader, STRING_LIMIT_BYTES, type Writer } from './xdr.ts'

/** Whether a caller must give a field, may give it, or never sees it. */
type Presence = 'required' | 'optional' | 'hidden'

/**
 * What a codec is made of, for what is derived from the tables: the reference pages, the check against libvirt's
 * definition. `as` is the value's type in TypeScript, where the codec makes something else of what is on the wire.
 */
export type Shape = WireShape & { readonly as?: string }

type WireShape =
  /** `wire` in the notation of libvirt's definition (u32, str, uuid …), `type` in TypeScript's. */
  | { readonly kind: 'scalar'; readonly wire: string; readonly type: string }
  | { readonly kind: 'list' | 'maybe'; readonly of: Shape }
  | { readonly kind: 'struct'; readonly fields: Fields }
  | { readonly kind: 'choice' | 'flags'; readonly numbers: Readonly<Record<string, number>> }
  /** A reference to an object of the daemon; `of` is its identity on the wire. */
  | { readonly kind: 'object'; readonly name: string; readonly of: Shape }
  /** libvirt's typed parameters, with the types of the names that are known. */
  | { readonly kind: 'parameters'; readonly known: Readonly<Record<string, string>> }

export interface Codec<Out, In = Out, P extends Presence = Presence> {
  readonly presence: P
  readonly shape: Shape
  readonly read: (reader: Reader) => Out
  readonly write: (writer: Writer, value: In) => void
}

/** Any codec; what it writes is known to the table only. */
export type AnyCodec = Codec<unknown, never>
export type Fields = Readonly<Record<string, AnyCodec>>

/** What a caller gets: no hidden fields. */
export type Output<F extends Fields> = {
  readonly [K in keyof F as F[K]['presence'] extends 'hidden' ? never : K]: ReturnType<F[K]['read']>
}
/** What a caller gives: no hidden fields, optional ones may be left out. */
export type Input<F extends Fields> = {
  readonly [K in keyof F as F[K]['presence'] extends 'required' ? K : never]: Parameters<F[K]['write']>[1]
} & {
  readonly [K in keyof F as F[K]['presence'] extends 'optional' ? K : never]?: Parameters<F[K]['write']>[1]
}

/** A number newer than this table; it may be given wherever a name may. */
export type Unknown = `unknown(${number})`

/** XML longer than this is refused before it is sent: the daemon would quote it in an error too long to send. */
const XML_LIMIT_BYTES = 1_048_576

export const i32 = plain(
  scalar('i32', 'number'),
  (reader) => reader.i32(),
  (writer, value: number) => writer.i32(value),
)
export const u32 = plain(
  scalar('u32', 'number'),
  (reader) => reader.u32(),
  (writer, value: number) => writer.u32(value),
)
export const i64 = plain(
  scalar('i64', 'bigint'),
  (reader) => reader.i64(),
  (writer, value: bigint) => writer.i64(value),
)
export const u64 = plain(
  scalar('u64', 'bigint'),
  (reader) => reader.u64(),
  (writer, value: bigint) => writer.u64(value),
)
export const f64 = plain(
  scalar('f64', 'number'),
  (reader) => reader.f64(),
  (writer, value: number) => writer.f64(value),
)
/** A u64 that is a number here; unsafe integers are refused. */
export const count64 = plain(
  scalar('u64', 'number'),
  (reader) => {
    const value = reader.u64()
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw reader.malformed('is too large')
    return Number(value)
  },
  (writer, value: number) => {
    if (!Number.isSafeInteger(value)) throw writer.refused('must be a safe integer')
    writer.u64(BigInt(value))
  },
)
export const bool = plain(
  scalar('i32', 'boolean'),
  (reader) => reader.i32() !== 0,
  (writer, value: boolean) => {
    if (typeof value !== 'boolean') throw writer.refused('must be true or false')
    writer.i32(value ? 1 : 0)
  },
)
export const bytes = plain(
  scalar('bytes', 'Uint8Array'),
  (reader) => Buffer.from(reader.opaque(reader.u32())),
  (writer, value: Uint8Array) => {
    if (!(value instanceof Uint8Array)) throw writer.refused('must be bytes')
    if (value.length > STRING_LIMIT_BYTES) throw writer.refused('is longer than 4 MiB')
    writer.u32(value.length)
    writer.opaque(value)
  },
)
export const string = text(STRING_LIMIT_BYTES, '4 MiB')
export const xml = text(XML_LIMIT_BYTES, '1 MiB')

export const uuid = plain(
  scalar('uuid', 'string'),
  (reader) => {
    const hex = reader.opaque(16).toString('hex')
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
  },
  (writer, value: string) => {
    if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value)) throw writer.refused('must be a UUID')
    writer.opaque(Buffer.from(value.replaceAll('-', ''), 'hex'))
  },
)

/** Bytes of which each takes a word of four. With a length there is no count on the wire. */
export function chars(length?: number): Codec<Buffer, Uint8Array, 'required'> {
  return plain(
    scalar(length === undefined ? 'char[]' : `char[${length}]`, 'Uint8Array'),
    (reader) => {
      const words = reader.opaque((length ?? reader.count()) * 4)
      return Buffer.from(words.filter((_, i) => i % 4 === 3))
    },
    (writer, value: Uint8Array) => {
      if (length === undefined) writer.u32(value.length)
      else if (value.length !== length) throw writer.refused(`must have ${length} bytes`)
      for (const byte of value) writer.u32(byte)
    },
  )
}

/** Text in an array of chars, ended by a NUL; without a length a count goes before it. */
export function fixedText(length?: number): Codec<string, string, 'required'> {
  const inner = chars(length)
  return plain(
    scalar(length === undefined ? 'char[]' : `char[${length}]`, 'string'),
    (reader) => {
      const read = inner.read(reader)
      const end = read.indexOf(0)
      return read.toString('utf8', 0, end === -1 ? read.length : end)
    },
    (writer, value: string) => {
      const encoded = Buffer.from(`${value}\0`)
      inner.write(writer, length === undefined ? encoded : Buffer.concat([encoded], length))
    },
  )
}

/** A value that may be absent. */
export function maybe<Out, In>(inner: Codec<Out, In>): Codec<Out | undefined, In | undefined, 'optional'> {
  return {
    presence: 'optional',
    shape: { kind: 'maybe', of: inner.shape },
    read: (reader) => {
      const present = reader.u32()
      if (present > 1) throw reader.malformed(`has presence ${present}`)
      return present === 1 ? inner.read(reader) : undefined
    },
    write: (writer, value) => {
      writer.u32(value === undefined ? 0 : 1)
      if (value !== undefined) inner.write(writer, value)
    },
  }
}

export function list<Out, In>(inner: Codec<Out, In>): Codec<Out[], readonly In[], 'required'> {
  return plain(
    { kind: 'list', of: inner.shape },
    (reader) => Array.from({ length: reader.count() }, () => inner.read(reader)),
    (writer, values: readonly In[]) => {
      if (!Array.isArray(values)) throw writer.refused('must be a list')
      writer.u32(values.length)
      for (const value of values) inner.write(writer, value)
    },
  )
}

export function struct<F extends Fields>(fields: F): Codec<Output<F>, Input<F>, 'required'> {
  return plain(
    { kind: 'struct', fields },
    (reader) => readFields(reader, fields),
    (writer, value: Input<F>) => writeFields(writer, fields, value),
  )
}

/** The names in order of their numbers, from 0. */
export function choice<N extends string>(...names: readonly N[]): Codec<N | Unknown, N | Unknown, 'required'> {
  return numbered(Object.fromEntries(names.map((name, number) => [name, number])) as Record<N, number>)
}

export function numbered<N extends string>(
  numbers: Readonly<Record<N, number>>,
): Codec<N | Unknown, N | Unknown, 'required'> {
  const byNumber = new Map<number, N>(Object.keys(numbers).map((name) => [numbers[name as N], name as N]))
  return plain(
    { kind: 'choice', numbers },
    (reader) => {
      const number = reader.i32()
      return byNumber.get(number) ?? (`unknown(${number})` as const)
    },
    (writer, name: N | Unknown) => {
      const number = isKnown(numbers, name) ? numbers[name] : numberOf(name)
      if (number === undefined) throw writer.refused(`must be one of ${Object.keys(numbers).join(', ')}`)
      writer.i32(number)
    },
  )
}

/** A set of bits as a list of names; nothing given is nothing set. */
export function flags<N extends string>(
  bits: Readonly<Record<N, number>>,
): Codec<(N | Unknown)[], readonly (N | Unknown)[] | undefined, 'optional'> {
  const names = Object.keys(bits) as N[]
  return {
    presence: 'optional',
    shape: { kind: 'flags', numbers: bits },
    read: (reader) => {
      let rest = reader.u32()
      const found: (N | Unknown)[] = []
      for (const name of names) {
        if ((rest & bits[name]) === 0) continue
        found.push(name)
        rest = (rest & ~bits[name]) >>> 0
      }
      return rest === 0 ? found : [...found, `unknown(${rest})`]
    },
    write: (writer, given = []) => {
      let all = 0
      for (const name of given) {
        const bit = isKnown(bits, name) ? bits[name] : numberOf(name)
        if (bit === undefined) throw writer.refused(`has no ${JSON.stringify(name)}; known: ${names.join(', ')}`)
        all |= bit
      }
      writer.u32(all >>> 0)
    },
  }
}

/** A field the caller never sees: written as `value`, ignored when read. */
export function fixed<T>(inner: Codec<unknown, T>, value: T): Codec<undefined, undefined, 'hidden'> {
  return {
    presence: 'hidden',
    shape: inner.shape,
    read: (reader) => {
      inner.read(reader)
      return undefined
    },
    write: (writer) => inner.write(writer, value),
  }
}

/** A field that may be left out and is then written as `value`. */
export function preset<Out, In>(inner: Codec<Out, In>, value: NoInfer<In>): Codec<Out, In | undefined, 'optional'> {
  return {
    presence: 'optional',
    shape: inner.shape,
    read: inner.read,
    write: (writer, given) => inner.write(writer, given === undefined ? value : given),
  }
}

export function readFields<F extends Fields>(reader: Reader, fields: F): Output<F> {
  const result: Record<string, unknown> = {}
  for (const [name, codec] of entriesOf(fields)) {
    reader.field = name
    const value = codec.read(reader)
    if (codec.presence !== 'hidden') result[name] = value
  }
  return result as Output<F>
}

export function writeFields(writer: Writer, fields: Fields, values: Readonly<Record<string, unknown>>): void {
  for (const [name, codec] of entriesOf(fields)) {
    writer.field = name
    codec.write(writer, values[name] as never)
  }
}

function isKnown<N extends string>(numbers: Readonly<Record<N, number>>, name: string): name is N {
  return Object.hasOwn(numbers, name)
}

/** The number of an `unknown(n)`: what was read can be written, and a caller may know more than this table. */
export function numberOf(name: unknown): number | undefined {
  const digits = typeof name === 'string' ? /^unknown\((-?\d{1,10})\)$/.exec(name)?.[1] : undefined
  return digits === undefined ? undefined : Number(digits)
}

const entries = new WeakMap<Fields, readonly (readonly [string, AnyCodec])[]>()

/** Kept, since a list of structures asks for each of its elements. */
function entriesOf(fields: Fields): readonly (readonly [string, AnyCodec])[] {
  const known = entries.get(fields)
  if (known !== undefined) return known
  const made = Object.entries(fields)
  entries.set(fields, made)
  return made
}

function plain<Out, In>(
  shape: Shape,
  read: (reader: Reader) => Out,
  write: (writer: Writer, value: In) => void,
): Codec<Out, In, 'required'> {
  return { presence: 'required', shape, read, write }
}

function scalar(wire: string, type: string): Shape {
  return { kind: 'scalar', wire, type }
}

function text(limitBytes: number, limit: string): Codec<string, string, 'required'> {
  return plain(
    scalar('str', 'string'),
    (reader) => {
      const length = reader.u32()
      if (length > STRING_LIMIT_BYTES) throw reader.malformed(`announces ${length} bytes of text`)
      return reader.opaque(length).toString('utf8')
    },
    (writer, value: string) => {
      if (typeof value !== 'string') throw writer.refused('must be text')
      if (value.includes('\0')) throw writer.refused('holds a NUL character')
      const encoded = Buffer.from(value, 'utf8')
      if (encoded.length > limitBytes) throw writer.refused(`is longer than ${limit}`)
      writer.u32(encoded.length)
      writer.opaque(encoded)
    },
  )
}
