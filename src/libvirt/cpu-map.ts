/** Sets of host processors. */
import type { Codec } from './codecs.ts'
import { bytes } from './codecs.ts'

/** The daemon takes no map of more bytes. */
const LIMIT_BYTES = 2048

/** A bit for each processor, from the lowest bit of the first byte on, as a list of processor numbers in rising order. */
export const cpuMap: Codec<number[], readonly number[], 'required'> = {
  presence: 'required',
  shape: { kind: 'scalar', wire: 'bytes', type: 'number[]' },
  read: (reader) => {
    const map = bytes.read(reader)
    return Array.from({ length: map.length * 8 }, (_, cpu) => cpu).filter((cpu) => isSet(map, cpu))
  },
  write: (writer, cpus) => {
    if (!Array.isArray(cpus) || cpus.length === 0)
      throw writer.refused('must be a list of processor numbers with at least one')
    for (const cpu of cpus)
      if (!Number.isInteger(cpu) || cpu < 0 || cpu >= LIMIT_BYTES * 8)
        throw writer.refused(`must hold processor numbers from 0 to ${LIMIT_BYTES * 8 - 1}`)
    const map = new Uint8Array(Math.floor(Math.max(...cpus) / 8) + 1)
    for (const cpu of cpus) map[cpu >> 3] = (map[cpu >> 3] ?? 0) | (1 << (cpu & 7))
    bytes.write(writer, map)
  },
}

function isSet(map: Uint8Array, cpu: number): boolean {
  return (((map[cpu >> 3] ?? 0) >> (cpu & 7)) & 1) === 1
}
