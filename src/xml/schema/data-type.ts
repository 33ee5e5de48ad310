/**
 * The data types of XML Schema that libvirt's schemas use, with their limits. Source: XML Schema part 2 (datatypes),
 * sections 3.2, 3.3 and 4.3; RELAX NG's own `string` and `token`.
 */
import { VmpkgError } from '../../errors.ts'
import { isXmlName } from '../lexical.ts'

export interface DataType {
  /** `string`, `token`, `unsignedInt` and so on. */
  readonly name: string
  readonly minimum: bigint | undefined
  readonly maximum: bigint | undefined
  /** Patterns as the schema writes them; a value must match all. */
  readonly patterns: readonly string[]
  readonly accepts: (value: string) => boolean
}

const INTEGERS: Readonly<Record<string, readonly [bigint | undefined, bigint | undefined]>> = {
  integer: [undefined, undefined],
  positiveInteger: [1n, undefined],
  nonNegativeInteger: [0n, undefined],
  long: [-(2n ** 63n), 2n ** 63n - 1n],
  int: [-(2n ** 31n), 2n ** 31n - 1n],
  short: [-(2n ** 15n), 2n ** 15n - 1n],
  byte: [-128n, 127n],
  unsignedLong: [0n, 2n ** 64n - 1n],
  unsignedInt: [0n, 2n ** 32n - 1n],
  unsignedShort: [0n, 2n ** 16n - 1n],
  unsignedByte: [0n, 255n],
}

const LEXICAL: Readonly<Record<string, RegExp>> = {
  double: /^(?:[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[Ee][+-]?\d+)?|-?INF|NaN)$/,
  dateTime:
    /^-?(?:[1-9]\d{4,}|\d{4})-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?$/,
  // Section 3.2.17 lets almost any string pass; a reader must not refuse more than malformed escapes.
  anyURI: /^(?:[^%]|%[0-9A-Fa-f]{2})*$/,
}

/**
 * A type with its parameters.
 * @throws {VmpkgError} `SCHEMA_UNUSABLE` for a type or a limit that this reader does not know
 */
export function makeDataType(name: string, parameters: readonly (readonly [string, string])[]): DataType {
  const range = INTEGERS[name]
  let [minimum, maximum] = range ?? [undefined, undefined]
  const checks: ((value: string) => boolean)[] = []
  const written: ((value: string) => boolean)[] = []
  const patterns: string[] = []
  for (const [key, value] of parameters) {
    if (key === 'pattern') {
      patterns.push(value)
      const pattern = new RegExp(`^(?:${translatePattern(value)})$`, 'u')
      // libxml2, and so libvirt, holds patterns against the value as it is written.
      written.push((text) => pattern.test(text))
    } else if (key === 'minInclusive' && range !== undefined) minimum = largest(minimum, BigInt(value))
    else if (key === 'maxInclusive' && range !== undefined) maximum = smallest(maximum, BigInt(value))
    else if (key === 'minInclusive' && name === 'double') checks.push((text) => Number(text) >= Number(value))
    else if (key === 'maxInclusive' && name === 'double') checks.push((text) => Number(text) <= Number(value))
    else if (key === 'maxLength') checks.push((text) => countCharacters(text) <= Number(value))
    else if (key === 'minLength') checks.push((text) => countCharacters(text) >= Number(value))
    else throw unknown(`the limit ${key} of the type ${name}`)
  }
  const lexical = LEXICAL[name]
  if (range !== undefined) checks.unshift((text) => isInteger(text, minimum, maximum))
  else if (lexical !== undefined) checks.unshift((text) => lexical.test(text))
  else if (name === 'NCName') checks.unshift((text) => isXmlName(text) && !text.includes(':'))
  else if (name !== 'string' && name !== 'token') throw unknown(`the data type ${name}`)
  const accepts = (value: string): boolean => {
    const text = name === 'string' ? value : collapseSpace(value)
    return checks.every((check) => check(text)) && written.every((check) => check(value))
  }
  return { name, minimum, maximum, patterns, accepts }
}

function countCharacters(text: string): number {
  return text.replace(/[\u{10000}-\u{10FFFF}]/gu, '.').length
}

/** Section 4.3.6: runs of white space become one blank, none at the ends. */
export function collapseSpace(text: string): string {
  return text.replace(/[ \t\r\n]+/g, ' ').replace(/^ | $/g, '')
}

function isInteger(text: string, minimum: bigint | undefined, maximum: bigint | undefined): boolean {
  if (!/^[+-]?\d+$/.test(text)) return false
  const number = BigInt(text.replace('+', ''))
  return (minimum === undefined || number >= minimum) && (maximum === undefined || number <= maximum)
}

/**
 * XML Schema's regular expressions as JavaScript writes them: anchored by the caller; `^` and `$` are plain characters,
 * and a hyphen may be escaped anywhere. Appendix F.
 */
function translatePattern(source: string): string {
  let inClass = false
  return source.replace(/\\[^]|[^]/gu, (part) => {
    if (part.startsWith('\\')) {
      if (part === '\\-' && !inClass) return '-'
      if (part === '\\d') return '\\p{Nd}'
      if (/^\\[iIcCwWDSpP]$/.test(part)) throw unknown(`${part} in a pattern`)
      return part === '\\s' ? (inClass ? ' \\t\\n\\r' : '[ \\t\\n\\r]') : part
    }
    if (inClass) {
      if (part === ']') inClass = false
      else if (part === '[') throw unknown('a subtraction of classes in a pattern')
      return part
    }
    if (part === '[') inClass = true
    return part === '$' || part === '^' ? `\\${part}` : part === '.' ? '[^\\n\\r]' : part
  })
}

const largest = (left: bigint | undefined, right: bigint): bigint => (left === undefined || right > left ? right : left)
const smallest = (left: bigint | undefined, right: bigint): bigint =>
  left === undefined || right < left ? right : left

function unknown(what: string): VmpkgError {
  return new VmpkgError('SCHEMA_UNUSABLE', `The schema uses ${what}, which vmpkg does not know`, {
    hint: 'Report it with the version of libvirt that this schema belongs to.',
  })
}
