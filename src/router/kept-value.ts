/** What vmpkg keeps as the value of a file parameter: JSON that a command of its own writes, with keys in it. */
import type { z } from 'zod'
import { VmpkgError } from '../errors.ts'

interface Kept<T> {
  /** As in `a list of VPN profiles`. */
  readonly what: string
  /** The command that writes it. */
  readonly madeBy: string
  /** More than the schema asks. */
  readonly isWhole: (value: T) => boolean
}

/** @throws {VmpkgError} `PARAMETER_INVALID`, never with a key in it */
export function parseKept<T>(schema: z.ZodType<T>, text: string, { what, madeBy, isWhole }: Kept<T>): T {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    value = undefined // said below, without the text
  }
  const result = schema.safeParse(value)
  if (result.success && isWhole(result.data)) return result.data
  throw new VmpkgError('PARAMETER_INVALID', `Not ${what}`, {
    hint: `${madeBy} makes it; it is not written by hand.`,
  })
}
