/**
 * libvirt's typed parameters as plain objects. On the wire each names its type, which a JavaScript number does not tell:
 * so every table says the types of the names it knows, and an object that was read remembers those it came with and can
 * be written back as it is, 64-bit values included.
 */
import {
  bool,
  type Codec,
  f64,
  i32,
  i64,
  list,
  numberOf,
  type Shape,
  string,
  struct,
  type Unknown,
  u32,
  u64,
} from './codecs.ts'
import type { Reader, Writer } from './xdr.ts'

export type ParameterValue = number | bigint | boolean | string
/** A parameter with its type said: for names newer than the table, and for names given more than once. */
export type Parameter =
  | { readonly field: string; readonly type: 'i32' | 'u32' | 'f64'; readonly value: number }
  | { readonly field: string; readonly type: 'i64' | 'u64'; readonly value: bigint }
  | { readonly field: string; readonly type: 'bool'; readonly value: boolean }
  | { readonly field: string; readonly type: 'string'; readonly value: string }
type WireType = Parameter['type']
/** `strings` is a text that may be given several times; a list names the numbers of an i32 from 0. */
type ParameterType = WireType | 'strings' | readonly string[]
/** The types of the names a table knows. In a name that is only read `#` stands for a number: `block.#.rd.bytes`. */
export type KnownParameters = Readonly<Record<string, ParameterType>>

interface Got {
  i32: number
  u32: number
  f64: number
  i64: bigint
  u64: bigint
  bool: boolean
  string: string
  strings: string
}
interface Given extends Omit<Got, 'i64' | 'u64' | 'strings'> {
  /** A number must be a safe integer. */
  i64: bigint | number
  u64: bigint | number
  strings: string | readonly string[]
}

type GotOf<T> = T extends keyof Got ? Got[T] : T extends readonly (infer N extends string)[] ? N | Unknown : never
type GivenOf<T> = T extends keyof Given ? Given[T] : T extends readonly (infer N extends string)[] ? N | Unknown : never
type Numbered<N> = N extends `${infer Head}#${infer Tail}` ? `${Head}${number}${Numbered<Tail>}` : N

/** The types an object was read with, by name. Not enumerable: it is in no listing, copy or JSON. */
const TYPES = Symbol('types of the parameters')

/**
 * What was read: an object without a prototype (names come from the daemon), 64-bit values as `bigint`. Where a name
 * comes twice the last counts.
 */
export type ReadParameters<K extends KnownParameters = KnownParameters> = Readonly<Record<string, ParameterValue>> & {
  readonly [N in keyof K as Numbered<N>]?: GotOf<K[N]>
} & { readonly [TYPES]: ReadonlyMap<string, WireType> }

/** What can be written: an object of known names, one that was read, or a list that says every type. */
export type WriteParameters<K extends KnownParameters> =
  | { readonly [N in keyof K]?: GivenOf<K[N]> | undefined }
  | ReadParameters
  | readonly Parameter[]

/** The index is the number on the wire. */
const WIRE_TYPES = [undefined, 'i32', 'u32', 'i64', 'u64', 'f64', 'bool', 'string'] as const
const CODECS = { i32, u32, i64, u64, f64, bool, string } as const

/** Parameters of which some names are known; others are read all the same. */
export function parameters<const K extends KnownParameters>(
  known: K,
): Codec<ReadParameters<K>, WriteParameters<K>, 'required'> {
  return {
    presence: 'required',
    shape: shapeOf(known),
    read: (reader) => collect<K>(readEntries(reader, known)),
    write: (writer, given) => {
      const all = Array.isArray(given) ? (given as readonly Parameter[]) : [...typed(writer, given, known)]
      writer.u32(all.length)
      for (const parameter of all) writeParameter(writer, parameter)
    },
  }
}

/** Parameters of several things one after another, only read: a name that comes again begins the next thing. */
export function parameterSets<const K extends KnownParameters>(
  known: K,
): Codec<ReadParameters<K>[], never, 'required'> {
  return {
    presence: 'required',
    shape: { ...shapeOf(known), as: 'ReadParameters[]' },
    read: (reader) => {
      const sets: Entry[][] = []
      let names = new Set<string>()
      for (const entry of readEntries(reader, known)) {
        if (sets.length === 0 || names.has(entry.field)) {
          sets.push([])
          names = new Set()
        }
        names.add(entry.field)
        sets.at(-1)?.push(entry)
      }
      return sets.map((entries) => collect<K>(entries))
    },
    write: (writer) => {
      throw writer.refused('is only ever read')
    },
  }
}

/** Parameters whose names no table lists. */
export const anyParameters = parameters({})

const statistics = list(struct({ field: string, value: u64 }))

/** Statistics of the host: names and 64-bit numbers. */
export const hostStatistics: Codec<Readonly<Record<string, bigint>>, never, 'required'> = {
  presence: 'required',
  shape: { ...statistics.shape, as: 'Readonly<Record<string, bigint>>' },
  read: (reader) => {
    const result = Object.create(null) as Record<string, bigint>
    for (const { field, value } of statistics.read(reader)) result[field] = value
    return result
  },
  write: (writer) => {
    throw writer.refused('is only ever read')
  },
}

interface Entry {
  readonly field: string
  readonly type: WireType
  readonly value: ParameterValue
}

function* readEntries(reader: Reader, known: KnownParameters): Generator<Entry> {
  for (let count = reader.count(); count > 0; count--) {
    const field = string.read(reader)
    const number = reader.i32()
    const type = WIRE_TYPES[number]
    if (type === undefined) throw reader.malformed(`has a parameter of type ${number}`)
    const value = CODECS[type].read(reader)
    const names = Object.hasOwn(known, field) ? known[field] : undefined
    const isNamed = Array.isArray(names) && typeof value === 'number'
    yield { field, type, value: isNamed ? ((names as readonly string[])[value] ?? `unknown(${value})`) : value }
  }
}

function collect<K extends KnownParameters>(entries: Iterable<Entry>): ReadParameters<K> {
  const result = Object.create(null) as Record<string, ParameterValue>
  const types = new Map<string, WireType>()
  for (const { field, type, value } of entries) {
    result[field] = value
    types.set(field, type)
  }
  return Object.defineProperty(result, TYPES, { value: types }) as ReadParameters<K>
}

function writeParameter(writer: Writer, { field, type, value }: Parameter): void {
  if (!Object.hasOwn(CODECS, type)) throw writer.refused(`has a parameter of an unknown type`)
  string.write(writer, field)
  writer.i32(WIRE_TYPES.indexOf(type))
  writer.field = field
  CODECS[type].write(writer, value as never)
}

/** The members of a plain object with their types: as it was read, else as the table has it. */
function* typed(writer: Writer, given: object, known: KnownParameters): Generator<Parameter> {
  const { [TYPES]: types } = given as { readonly [TYPES]?: ReadonlyMap<string, WireType> }
  for (const [field, value] of Object.entries(given) as [string, unknown][]) {
    if (value === undefined) continue
    const own = Object.hasOwn(known, field) ? known[field] : undefined
    const read = types?.get(field)
    if (Array.isArray(own) && typeof value === 'string') {
      yield { field, type: 'i32', value: numberOfName(writer, field, own as readonly string[], value) }
      continue
    }
    const type = read ?? own
    if (type === undefined)
      throw writer.refused(
        `has no ${JSON.stringify(field)}; known: ${Object.keys(known).join(', ') || 'none'}. Give what is newer as a list of { field, type, value }`,
      )
    if (type === 'strings') {
      for (const one of Array.isArray(value) ? (value as string[]) : [value as string])
        yield { field, type: 'string', value: one }
    } else
      yield {
        field,
        type: typeof type === 'string' ? type : 'i32',
        value: is64(type) ? wide(value) : value,
      } as Parameter
  }
}

function numberOfName(writer: Writer, field: string, names: readonly string[], name: string): number {
  const number = names.includes(name) ? names.indexOf(name) : numberOf(name)
  if (number === undefined) throw writer.refused(`has ${field} ${JSON.stringify(name)}; known: ${names.join(', ')}`)
  return number
}

function is64(type: ParameterType): boolean {
  return type === 'i64' || type === 'u64'
}

function wide(value: unknown): unknown {
  return typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : value
}

/** The shape holds a type's name, or the names of its numbers as TypeScript would have them. */
function shapeOf(known: KnownParameters): Shape {
  const types = Object.entries(known).map(([name, type]) => [
    name,
    typeof type === 'string' ? type : type.map((one) => `'${one}'`).join(' | '),
  ])
  return { kind: 'parameters', known: Object.fromEntries(types) as Record<string, string> }
}
