/** Codecs as TypeScript: what a method takes, gives, and what an event carries. */
import type { AnyCodec, Fields, Shape } from '../../../src/libvirt/codecs.ts'
import type { Row } from '../../../src/libvirt/methods.ts'

/** Which way a value goes, and whether long lists of names are cut. */
interface View {
  readonly way: 'given' | 'got'
  readonly isShort: boolean
}

/** More names than this are cut in a signature and listed below it. */
export const NAMES_SHOWN = 4
const LINE_LENGTH = 100

function typeText(shape: Shape, view: View): string {
  if (shape.as !== undefined) return named(shape.as, view)
  switch (shape.kind) {
    case 'scalar':
      return named(shape.type, view)
    case 'list':
      return `${readonlyIn(view)}${grouped(typeText(shape.of, view))}[]`
    case 'maybe':
      return `${typeText(shape.of, view)} | undefined`
    case 'struct':
      return objectText(fieldTexts(shape.fields, view))
    case 'choice':
      return namesText(Object.keys(shape.numbers), view)
    case 'flags':
      return `${readonlyIn(view)}${grouped(namesText(Object.keys(shape.numbers), view))}[]`
    case 'object':
      return shape.name
    case 'parameters': {
      const name = view.way === 'given' ? 'WriteParameters' : 'ReadParameters'
      return view.isShort ? name : `${name}<${knownText(shape.known)}>`
    }
  }
}

/** A method's type with every name, for the compiler. */
export function methodType(row: Row): string {
  const fields = fieldTexts(row.args, { way: 'given', isShort: false })
  const args = fields.length === 0 ? '' : `args${isOptional(row) ? '?' : ''}: ${objectText(fields)}`
  return `(${args}) => Promise<${resultText(row, false)}>`
}

/** What an event carries. */
export function eventText(fields: Fields, isShort: boolean): string {
  const texts = fieldTexts(fields, { way: 'got', isShort })
  const line = objectText(texts)
  return line.length <= LINE_LENGTH || !isShort ? line : linesText(texts)
}

/** `name(args): Promise<Result>`, on several lines where one would be too long. */
export function signature(name: string, row: Row): string {
  const fields = fieldTexts(row.args, { way: 'given', isShort: true })
  const args = (text: string) => (fields.length === 0 ? '' : `args${isOptional(row) ? '?' : ''}: ${text}`)
  const result = resultText(row, true)
  const line = `${name}(${args(objectText(fields))}): Promise<${result}>`
  if (line.length <= LINE_LENGTH) return line
  const short = `${name}(${args(objectText(fields))}): Promise<`
  const before = short.length <= LINE_LENGTH ? short : `${name}(${args(linesText(fields))}): Promise<`
  const isLong = (before.split('\n').at(-1)?.length ?? 0) + result.length > LINE_LENGTH && result.startsWith('{')
  return `${before}${isLong ? linesText(resultFields(row)) : result}>`
}

function isOptional(row: Row): boolean {
  return visible(row.args).every(([, codec]) => codec.presence === 'optional')
}

function resultFields(row: Row): string[] {
  const fields = fieldTexts(row.result, { way: 'got', isShort: true })
  return row.kind === 'stream' ? [...fields, 'stream: LibvirtStream'] : fields
}

function linesText(fields: readonly string[]): string {
  return `{\n${fields.map((field) => `  ${field}\n`).join('')}}`
}

/** What a method's promise gives: nothing, the one field bare, or all; a stream beside it where the row opens one. */
function resultText(row: Row, isShort: boolean): string {
  const view: View = { way: 'got', isShort }
  const fields = visible(row.result)
  const [only] = fields
  if (row.kind === 'stream') {
    if (only === undefined) return 'LibvirtStream'
    return objectText([...fieldTexts(row.result, view), 'stream: LibvirtStream'])
  }
  if (only === undefined) return isShort ? 'void' : 'undefined'
  return fields.length === 1 ? typeText(only[1].shape, view) : objectText(fieldTexts(row.result, view))
}

function fieldTexts(fields: Fields, view: View): string[] {
  return visible(fields).map(([name, codec]) => {
    const mayLack = view.way === 'given' && codec.presence === 'optional'
    const shape = mayLack && codec.shape.kind === 'maybe' ? codec.shape.of : codec.shape
    return `${name}${mayLack ? '?' : ''}: ${typeText(shape, view)}`
  })
}

/** The fields a caller sees. */
export function visible(fields: Fields): readonly (readonly [string, AnyCodec])[] {
  return Object.entries(fields).filter(([, codec]) => codec.presence !== 'hidden')
}

function objectText(fields: readonly string[]): string {
  return fields.length === 0 ? '{}' : `{ ${fields.join('; ')} }`
}

function namesText(names: readonly string[], { isShort }: View): string {
  const shown = isShort && names.length > NAMES_SHOWN ? names.slice(0, NAMES_SHOWN - 1) : names
  const quoted = shown.map((name) => `'${name}'`)
  if (!isShort) return [...quoted, 'Unknown'].join(' | ')
  return [...quoted, ...(shown.length < names.length ? ['…'] : [])].join(' | ')
}

/** Names in a type that a codec says itself are as open as those of `choice`. */
function named(type: string, { isShort }: View): string {
  return !isShort && type.includes("'") ? `${type} | Unknown` : type
}

/** The compiler is shown readonly lists, which take both kinds; a reader is spared the word. */
function readonlyIn({ isShort }: View): string {
  return isShort ? '' : 'readonly '
}

/** Types of parameters as the table has them: a word, or the names of its numbers. */
function knownText(known: Readonly<Record<string, string>>): string {
  const texts = Object.entries(known).map(([name, type]) => {
    const text = type.includes("'") ? `readonly [${type.replaceAll(' | ', ', ')}]` : `'${type}'`
    return `readonly '${name}': ${text}`
  })
  return objectText(texts)
}

function grouped(type: string): string {
  return /^[\w<>,.' ]+$/.test(type) && !type.includes('|') ? type : /^{[^}]*}$/.test(type) ? type : `(${type})`
}
