/**
 * High-water marks: what this host has already seen of a registry, so that nothing older is believed (formats 2.6,
 * threats M05 to M09). Plain data with a text form; the state database keeps it, never the cache.
 */
import { z } from 'zod'
import type { Sha256 } from '../model/digest.ts'
import { count, formatTime, parseShape, sha256Text, time } from '../model/shape.ts'

export interface TrustMarks {
  readonly registryId: string
  /** The newest root file accepted; where the next walk of the chain begins. */
  readonly root: { readonly version: number; readonly sha256: Sha256 }
  /** Absent before the first envelope and after a rotation of the timestamp key. `sha256` is of the payload. */
  readonly envelope?: { readonly version: number; readonly sha256: Sha256; readonly issuedAt: Date }
  /** Absent likewise for the promoter's key. `sha256` is of the file. */
  readonly channels?: { readonly version: number; readonly sha256: Sha256 }
}

const seen = z.strictObject({ version: count.min(1), sha256: sha256Text })
const marks: z.ZodType<TrustMarks> = z.strictObject({
  registryId: z.string().regex(/^[0-9a-f]{32}$/),
  root: seen,
  envelope: seen.extend({ issuedAt: time }).exactOptional(),
  channels: seen.exactOptional(),
})

/** @throws {VmpkgError} `STATE_INVALID`: never treated as "nothing seen yet" */
export function parseTrustMarks(text: string): TrustMarks {
  return parseShape(marks, readJson(text), { code: 'STATE_INVALID', subject: 'The stored trust state' })
}

export function formatTrustMarks(value: TrustMarks): string {
  const { envelope } = value
  return JSON.stringify(
    envelope === undefined ? value : { ...value, envelope: { ...envelope, issuedAt: formatTime(envelope.issuedAt) } },
  )
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // the schema then refuses it with the same words
  }
}
