/**
 * Maps of processors as lists of their numbers. On the wire a map is bytes: processor 0 is the lowest bit of the first
 * byte, 8 the lowest bit of the second.
 */
import { bytes, type Codec } from './codecs.ts'
import type { Writer } from './xdr.ts'

/** The longest map the protocol takes for one call. */
const MAP_LIMIT_BYTES = 2048
/** How long the maps are that are asked for: room for the 8192 processors Linux has at most. */
export const MAP_BYTES = 1024

/** One map. Read: the numbers in rising order. Written: in any order, at least one. */
export const cpuMap: Codec<number[], readonly number[], 'required'> = {
  presence: 'required',
  shape: { kind: 'scalar', wire: 'bytes', type: 'number[]' },
  read: (reader) => numbersIn(bytes.read(reader)),
  write: (writer, numbers) => bytes.write(writer, mapOf(writer, numbers)),
}

/** Maps of `MAP_BYTES` each, one after another. */
export const cpuMaps: Codec<number[][], never, 'required'> = {
  presence: 'required',
  shape: { kind: 'scalar', wire: 'bytes', type: 'number[][]' },
  read: (reader) => {
    const all = bytes.read(reader)
    if (all.length % MAP_BYTES !== 0) throw reader.malformed(`has ${all.length} bytes, not a multiple of ${MAP_BYTES}`)
    return Array.from({ length: all.length / MAP_BYTES }, (_, i) =>
      numbersIn(all.subarray(i * MAP_BYTES, (i + 1) * MAP_BYTES)),
    )
  },
  write: (writer) => {
    throw writer.refused('is only ever read')
  },
}

function numbersIn(map: Uint8Array): number[] {
  const numbers: number[] = []
  for (const [index, byte] of map.entries())
    for (let bit = 0; bit < 8; bit++) if ((byte & (1 << bit)) !== 0) numbers.push(index * 8 + bit)
  return numbers
}

function mapOf(writer: Writer, numbers: readonly number[]): Uint8Array {
  if (!Array.isArray(numbers) || numbers.length === 0)
    throw writer.refused('must be a list of processor numbers with at least one')
  const most = MAP_LIMIT_BYTES * 8 - 1
  const wrong = numbers.findIndex((number) => !Number.isInteger(number) || number < 0 || number > most)
  if (wrong !== -1) throw writer.refused(`[${wrong}] must be a processor's number, from 0 to ${most}`)
  const map = new Uint8Array(Math.floor(Math.max(...numbers) / 8) + 1)
  for (const number of numbers) map[number >> 3] = (map[number >> 3] ?? 0) | (1 << (number & 7))
  return map
}
