/**
 * Sizes as people write them, `192MiB`, and as bytes. Only binary units and whole numbers: `1GB` has two meanings.
 */
import { VmpkgError } from '../errors.ts'

const UNITS = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 } as const
const SHAPE = /^(?<count>[0-9]{1,16}) ?(?<unit>B|KiB|MiB|GiB|TiB)$/

/** `192MiB` as bytes, at most 2^53 - 1. @throws {VmpkgError} `PARAMETER_INVALID` */
export function parseSize(text: string): number {
  const { count, unit } = SHAPE.exec(text)?.groups ?? {}
  const sizeBytes = Number(count) * (UNITS[unit as keyof typeof UNITS] ?? Number.NaN)
  if (!Number.isSafeInteger(sizeBytes)) {
    throw new VmpkgError('PARAMETER_INVALID', `Not a size: ${JSON.stringify(text.slice(0, 40))}`, {
      hint: 'Write a whole number and one of B, KiB, MiB, GiB, TiB, as in 192MiB.',
    })
  }
  return sizeBytes
}

/** The inverse of `parseSize`, in the largest unit that keeps the number whole. */
export function formatSize(sizeBytes: number): string {
  const units = Object.entries(UNITS).toReversed()
  const [unit, factor] = (sizeBytes > 0 && units.find(([, size]) => sizeBytes % size === 0)) || (['B', 1] as const)
  return `${sizeBytes / factor}${unit}`
}
