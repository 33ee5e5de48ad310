/**
 * Random values from the shapes of the procedure tables: what a daemon may answer (bytes, with the places of every
 * count and presence word), what a caller may give, and whether what a caller got is of the declared shape.
 */
import type { AnyCodec, Fields, Shape } from '../../src/libvirt/codecs.ts'
import { hostStatistics } from '../../src/libvirt/parameters.ts'
import { Writer } from '../../src/libvirt/xdr.ts'
import type { Random } from './random.ts'

/** A payload, and where the words are that say how much follows. */
export interface Wire {
  readonly bytes: Buffer
  readonly counts: readonly number[]
}

/** Names that are special in JavaScript, terminals or XML, and bytes that are no text. */
const HOSTILE_TEXTS = [
  '',
  '__proto__',
  'constructor',
  'toString',
  'then',
  'length',
  'state.state',
  'a\u0000b',
  '\u001b[31mred\u001b[0m',
  '\r\n',
  '../../etc/passwd',
  '\u202egnp',
  '💥'.repeat(40),
].map((text) => Buffer.from(text))
const NO_TEXTS = ['ff', 'c080', 'eda080', 'f8888080', '80808080', 'e282'].map((hex) => Buffer.from(hex, 'hex'))
const I32 = [0, 1, -1, 2, 7, 0x7fff_ffff, -0x8000_0000]
const I64 = [0n, 1n, -1n, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n)]
const PARAMETER_TYPES = ['i32', 'u32', 'i64', 'u64', 'f64', 'bool', 'str'] as const

/** The fields one after another, as a daemon that keeps to the definition may send them. */
export function wireOf(random: Random, shapes: readonly Shape[]): Wire {
  const writer = new Writer()
  const counts: number[] = []
  const count = (value: number) => {
    counts.push(writer.bytes().length)
    writer.u32(value)
  }
  const opaque = (value: Buffer) => {
    count(value.length)
    writer.opaque(value)
  }
  const parameter = () => {
    const type = random.below(PARAMETER_TYPES.length)
    opaque(hostileText(random))
    count(type + 1)
    scalar(PARAMETER_TYPES[type] ?? 'i32', 'number')
  }
  const scalar = (wire: string, type: string): void => {
    const chars = /^char\[(\d*)\]$/.exec(wire)
    if (chars !== null) {
      const length = chars[1] === '' ? random.below(9) : Number(chars[1])
      if (chars[1] === '') count(length)
      for (const byte of random.bytes(length)) writer.u32(byte)
      return
    }
    switch (wire) {
      case 'i32':
        return writer.i32(random.pick(I32))
      case 'u32':
        return writer.u32(random.pick(I32) >>> 0)
      case 'i64':
        return writer.i64(random.pick(I64))
      case 'u64':
        return writer.u64(type === 'number' ? BigInt(random.u32()) : BigInt.asUintN(64, random.pick(I64)))
      case 'f64':
        return writer.f64(random.pick([0, -0, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 5e-324]))
      case 'bool':
        return writer.i32(random.below(3))
      case 'uuid':
        return writer.opaque(random.bytes(16))
      case 'str':
        return opaque(hostileText(random))
      case 'bytes':
        return opaque(random.bytes(random.below(40)))
      default:
        throw new Error(`no value for the wire form ${wire}`)
    }
  }
  const write = (shape: Shape): void => {
    switch (shape.kind) {
      case 'scalar':
        return scalar(shape.wire, shape.type)
      case 'list': {
        const length = listLength(random)
        count(length)
        for (let left = length; left > 0; left--) write(shape.of)
        return
      }
      case 'maybe': {
        const present = random.below(2)
        count(present)
        return present === 1 ? write(shape.of) : undefined
      }
      case 'struct':
        return Object.values(shape.fields).forEach(({ shape: field }) => write(field))
      case 'choice':
        return writer.i32(random.chance(0.8) ? random.pick(Object.values(shape.numbers)) : random.pick(I32))
      case 'flags':
        return writer.u32(random.u32())
      case 'object':
        return write(shape.of)
      case 'parameters': {
        const length = listLength(random)
        count(length)
        for (let left = length; left > 0; left--) parameter()
      }
    }
  }
  for (const shape of shapes) write(shape)
  return { bytes: Buffer.from(writer.bytes()), counts }
}

export function shapesOf(fields: Fields): Shape[] {
  return Object.values(fields).map(({ shape }) => shape)
}

/** Arguments by name that a method takes. */
export function argumentsFor(random: Random, fields: Fields): Record<string, unknown> {
  const given = Object.entries(fields).filter(
    ([, { presence }]) => presence === 'required' || (presence === 'optional' && random.chance(0.3)),
  )
  return Object.fromEntries(given.map(([name, { shape }]) => [name, givenValue(random, shape)]))
}

/** One value that a caller may give. */
export function givenValue(random: Random, shape: Shape): unknown {
  switch (shape.kind) {
    case 'scalar':
      return givenScalar(random, shape.wire, shape.type)
    case 'list':
      return Array.from({ length: random.below(3) }, () => givenValue(random, shape.of))
    case 'maybe':
      return random.chance(0.5) ? undefined : givenValue(random, shape.of)
    case 'struct':
      return argumentsFor(random, shape.fields)
    case 'choice':
      return random.pick(Object.keys(shape.numbers))
    case 'flags':
    case 'parameters':
      return []
    case 'object':
      return givenValue(random, shape.of)
  }
}

/** What is wrong with a value that a caller got for these fields; nothing when it is as declared. */
export function mismatch(fields: Fields, result: unknown): string | undefined {
  const visible = Object.entries(fields).filter(([, { presence }]) => presence !== 'hidden')
  const [only] = visible
  if (only === undefined) return result === undefined ? undefined : `${typeof result} where nothing is returned`
  if (visible.length === 1) return wrong(only[0], only[1], result)
  return wrongFields(visible, result)
}

function wrongFields(visible: readonly (readonly [string, AnyCodec])[], result: unknown): string | undefined {
  const got = result as Readonly<Record<string, unknown>>
  return visible.map(([name, codec]) => wrong(name, codec, got[name])).find((problem) => problem !== undefined)
}

function wrong(name: string, codec: AnyCodec, value: unknown): string | undefined {
  if (codec !== hostStatistics) return wrongValue(name, codec.shape, value)
  return Object.values(value as object).every((number) => typeof number === 'bigint') ? undefined : `${name}: no bigint`
}

function wrongValue(name: string, shape: Shape, value: unknown): string | undefined {
  const no = `${name}: ${typeof value} is not ${shape.kind}`
  switch (shape.kind) {
    case 'scalar':
      return isScalar(shape.type, value) ? undefined : `${name}: ${typeof value} is not ${shape.type}`
    case 'list':
      if (!Array.isArray(value)) return no
      return value.map((one) => wrongValue(name, shape.of, one)).find((problem) => problem !== undefined)
    case 'maybe':
      return value === undefined ? undefined : wrongValue(name, shape.of, value)
    case 'struct':
      // Reduced to its first field where the others only count it.
      if (Array.isArray(value)) return wrongValue(name, Object.values(shape.fields)[0]?.shape ?? shape, value)
      return wrongFields(
        Object.entries(shape.fields).filter(([, { presence }]) => presence !== 'hidden'),
        value,
      )
    case 'choice':
      return isName(shape.numbers, value) ? undefined : no
    case 'flags':
      return Array.isArray(value) && value.every((one) => isName(shape.numbers, one)) ? undefined : no
    case 'object':
      if (!(value instanceof Object) || value.constructor.name !== shape.name) return no
      return wrongValue(name, shape.of, value)
    case 'parameters':
      // Those of several things come as a list.
      if (Array.isArray(value)) return value.map((one) => wrongValue(name, shape, one)).find((problem) => problem)
      if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== null) return no
      return Object.values(value).flat().every(isParameterValue) ? undefined : no
  }
}

function isParameterValue(value: unknown): boolean {
  return /number|bigint|boolean|string/.test(typeof value)
}

function isScalar(type: string, value: unknown): boolean {
  // Names as a union of texts; one that is newer than the table is `unknown(n)`.
  if (type.startsWith("'")) return typeof value === 'string'
  // Maps of processors travel as bytes.
  if (type.endsWith('[]')) return Array.isArray(value) && value.every((one) => isScalar(type.slice(0, -2), one))
  return type === 'Uint8Array' ? value instanceof Uint8Array : typeof value === type
}

function isName(numbers: Readonly<Record<string, number>>, value: unknown): boolean {
  return typeof value === 'string' && (Object.hasOwn(numbers, value) || /^unknown\(-?\d+\)$/.test(value))
}

function givenScalar(random: Random, wire: string, type: string): unknown {
  const chars = /^char\[(\d*)\]$/.exec(wire)
  if (type === 'Uint8Array') return random.bytes(chars?.[1] ? Number(chars[1]) : random.below(9))
  if (type.endsWith('[]')) return [random.below(8)]
  if (type === 'boolean') return random.chance(0.5)
  if (type === 'bigint') return BigInt(random.below(1000))
  if (type === 'number') return random.below(1000)
  if (type.startsWith("'")) return type.split("'")[1]
  if (wire === 'uuid') return '01234567-89ab-cdef-0123-456789abcdef'
  return random.pick(['', 'name', '__proto__', 'ü'])
}

function hostileText(random: Random): Buffer {
  if (random.chance(0.01)) return Buffer.alloc(100_000, 'x')
  return random.pick(random.chance(0.2) ? NO_TEXTS : HOSTILE_TEXTS)
}

function listLength(random: Random): number {
  return random.chance(0.02) ? 200 : random.below(5)
}
