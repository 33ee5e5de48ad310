/**
 * Canonical JSON: the only JSON that registries and signatures know (formats 3.6). Keys sorted by UTF-16 code units, no
 * whitespace, whole numbers within 2^53 - 1 only, strings escaped as `JSON.stringify` does, UTF-8.
 *
 * Reading accepts nothing but the canonical spelling: parse, spell again, compare the bytes. So duplicate keys, `1.0`,
 * `1e3`, NaN, byte order marks and a second spelling of anything are refused without a parser of our own, and
 * `parse(format(x))` is exact. Source: the integer subset of RFC 8785. Everything read here is hostile (threats M15).
 */
import { type ErrorCode, VmpkgError } from '../errors.ts'

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue }

const MAX_DEPTH = 32

export interface CanonicalJsonLimits {
  /** Code of the failure, and the thing its message names. */
  readonly code: ErrorCode
  readonly subject: string
  readonly maxBytes: number
}

/** Members that are `undefined` are left out. @throws {TypeError} for fractions, NaN, lone surrogates, functions, cycles */
export function formatCanonicalJson(value: unknown): string {
  return spell(value, 0)
}

export function canonicalJsonBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(formatCanonicalJson(value))
}

/** Objects of the result have no prototype. @throws {VmpkgError} the code of `limits` */
export function parseCanonicalJson(bytes: Uint8Array, limits: CanonicalJsonLimits): JsonValue {
  if (bytes.length > limits.maxBytes) throw refuse(limits, `is larger than ${limits.maxBytes} bytes`)
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    const value: unknown = JSON.parse(text)
    if (formatCanonicalJson(value) !== text) throw refuse(limits, 'is not in canonical form')
    return withoutPrototype(value as JsonValue)
  } catch (error) {
    if (error instanceof VmpkgError) throw error
    throw refuse(limits, 'is not canonical JSON', error)
  }
}

function spell(value: unknown, depth: number): string {
  if (depth > MAX_DEPTH) throw new TypeError('nested too deep for canonical JSON')
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) throw new TypeError('not a whole number within 2^53 - 1')
    return String(value)
  }
  if (typeof value === 'string') {
    if (!value.isWellFormed()) throw new TypeError('a string with a lone surrogate')
    return JSON.stringify(value)
  }
  if (typeof value !== 'object') throw new TypeError(`${typeof value} has no canonical form`)
  if (Array.isArray(value)) return `[${value.map((item) => spell(item, depth + 1)).join(',')}]`
  return spellObject(value as Readonly<Record<string, unknown>>, depth)
}

function spellObject(object: Readonly<Record<string, unknown>>, depth: number): string {
  const members = Object.keys(object)
    .toSorted() // by UTF-16 code units, which is what the format asks for
    .filter((key) => object[key] !== undefined)
    .map((key) => {
      if (key === '__proto__') throw new TypeError('a key named __proto__')
      return `${spell(key, depth)}:${spell(object[key], depth + 1)}`
    })
  return `{${members.join(',')}}`
}

function withoutPrototype(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(withoutPrototype)
  if (value === null || typeof value !== 'object') return value
  const copy = Object.create(null) as Record<string, JsonValue>
  for (const [key, item] of Object.entries(value)) copy[key] = withoutPrototype(item)
  return copy
}

function refuse(limits: CanonicalJsonLimits, problem: string, cause?: unknown): VmpkgError {
  return new VmpkgError(limits.code, `${limits.subject} ${problem}`, { cause })
}
