/**
 * libvirt's typed parameters. Read, they are one object without a prototype (names come from the daemon); written, each
 * names its type, since a JavaScript number does not tell.
 */
import { bool, type Codec, f64, i32, i64, list, string, struct, u32, u64 } from './codecs.ts'
import type { Reader, Writer } from './xdr.ts'

export type ParameterValue = number | bigint | boolean | string
/** By name; where a name comes twice the last counts. */
export type ReadParameters = Readonly<Record<string, ParameterValue>>
export type Parameter =
  | { readonly field: string; readonly type: 'i32' | 'u32' | 'f64'; readonly value: number }
  | { readonly field: string; readonly type: 'i64' | 'u64'; readonly value: bigint }
  | { readonly field: string; readonly type: 'bool'; readonly value: boolean }
  | { readonly field: string; readonly type: 'string'; readonly value: string }

/** The index is the number on the wire. */
const KINDS = [
  undefined,
  ['i32', i32],
  ['u32', u32],
  ['i64', i64],
  ['u64', u64],
  ['f64', f64],
  ['bool', bool],
  ['string', string],
] as const

export const parameters: Codec<ReadParameters, readonly Parameter[], 'required'> = {
  presence: 'required',
  read: (reader) => collect(Array.from({ length: reader.count() }, () => readParameter(reader))),
  write: (writer, given) => {
    writer.u32(given.length)
    for (const parameter of given) writeParameter(writer, parameter)
  },
}

const statistics = list(struct({ field: string, value: u64 }))

/** Statistics of the host: names and 64-bit numbers. */
export const hostStatistics: Codec<Readonly<Record<string, bigint>>, never, 'required'> = {
  presence: 'required',
  read: (reader) => collect(statistics.read(reader).map(({ field, value }) => [field, value] as const)),
  write: (writer) => {
    throw writer.refused('is only ever read')
  },
}

function readParameter(reader: Reader): readonly [string, ParameterValue] {
  const field = string.read(reader)
  const number = reader.i32()
  const kind = KINDS[number]
  if (kind === undefined) throw reader.malformed(`has a parameter of type ${number}`)
  return [field, kind[1].read(reader)]
}

function writeParameter(writer: Writer, parameter: Parameter): void {
  const number = KINDS.findIndex((kind) => kind?.[0] === parameter.type)
  const kind = KINDS[number]
  if (kind === undefined) throw writer.refused(`has a parameter of an unknown type`)
  string.write(writer, parameter.field)
  writer.i32(number)
  kind[1].write(writer, parameter.value as never)
}

function collect<V>(entries: readonly (readonly [string, V])[]): Readonly<Record<string, V>> {
  const result = Object.create(null) as Record<string, V>
  for (const [name, value] of entries) result[name] = value
  return result
}
