/**
 * What all our documents are checked with: zod schemas for the words of the model, and one way to report problems.
 * A document that does not fit is refused whole; the error lists every field that is wrong, each with its path.
 */
import { z } from 'zod'
import { type ErrorCode, VmpkgError } from '../errors.ts'
import { fromBase64 } from './base64.ts'
import { isSha256, type Sha256 } from './digest.ts'
import { type Fingerprint, isFingerprint } from './fingerprint.ts'
import { isPackageName } from './name.ts'
import { parseRelation } from './relation.ts'
import { parseVersion } from './version.ts'

interface Problem {
  /** Dotted path of the field, `(document)` for the whole. */
  readonly path: string
  readonly problem: string
}

const TIME = /^[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$/
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/

export const count = z.int().min(0).max(Number.MAX_SAFE_INTEGER)
export const sha256Text = z.custom<Sha256>((text) => typeof text === 'string' && isSha256(text), 'not a SHA-256 digest')
export const fingerprint = z.custom<Fingerprint>(
  (text) => typeof text === 'string' && isFingerprint(text),
  'not a full fingerprint in upper case',
)
export const digested = z.strictObject({ sha256: sha256Text, size: count })
/** Bytes written as base64. */
export const bytes = z.string().transform((text, context) => {
  const decoded = fromBase64(text)
  if (decoded !== undefined) return decoded
  context.addIssue({ code: 'custom', message: 'not base64' })
  return z.NEVER
})
export const time = z
  .string()
  .regex(TIME, 'not a time like 2026-01-31T00:00:00Z')
  .transform((text) => new Date(text))
export const isoDate = z.iso.date()
export const packageName = z.string().refine(isPackageName, 'not a package name')
export const version = z.string().refine(parses(parseVersion), 'not a package version')
const relation = z.string().refine(parses(parseRelation), 'not a relation such as router-base (>= 1.2) | i2p')
export const relations = z.array(relation).max(256)
/** One line that is safe to show: no control, line or direction-changing characters. */
export const oneLine = z
  .string()
  .min(1)
  .max(200)
  .refine((text) => !CONTROL.test(text) && text.isWellFormed(), 'has characters that do not belong in one line')

/** `2026-01-31T00:00:00Z`: seconds are the finest we write. */
export function formatTime(date: Date): string {
  return date.toISOString().replace(/\.\d{3}Z$/, 'Z')
}

/** Checks `value` against `schema`. @throws {VmpkgError} the given code, with `details.problems` as `Problem[]` */
export function parseShape<T>(
  schema: z.ZodType<T>,
  value: unknown,
  failure: { readonly code: ErrorCode; readonly subject: string; readonly hint?: string },
): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const problems = result.error.issues.flatMap(describe).slice(0, 50)
  const shown = problems.map(({ path, problem }) => `${path}: ${problem}`).join('; ')
  throw new VmpkgError(failure.code, `${failure.subject} is refused: ${shown.slice(0, 2000)}`, {
    ...(failure.hint === undefined ? {} : { hint: failure.hint }),
    details: { problems },
  })
}

/** Drops members whose name starts with `x-`: room for facts that this version of the format does not know. */
export function withoutExtensions(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutExtensions)
  if (value === null || typeof value !== 'object') return value
  const known = Object.entries(value).filter(([key]) => !key.startsWith('x-'))
  return Object.fromEntries(known.map(([key, item]) => [key, withoutExtensions(item)]))
}

function describe(issue: z.core.$ZodIssue): readonly Problem[] {
  const path = issue.path.map((key) => JSON.stringify(key).slice(0, 60).replaceAll('"', '')).join('.')
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: [path, JSON.stringify(key).slice(1, 61).replaceAll('"', '')].filter(Boolean).join('.'),
      problem: 'unknown field',
    }))
  }
  return [{ path: path === '' ? '(document)' : path, problem: issue.message }]
}

function parses(parse: (text: string) => unknown): (text: string) => boolean {
  return (text) => {
    try {
      parse(text)
      return true
    } catch (error) {
      if (error instanceof VmpkgError) return false
      throw error
    }
  }
}
