/**
 * The named arguments of a partial, as the comment at its head declares them: what it is for, then one line each,
 * `@cache none|writeback` or `@path text required`. A partial that declares arguments sees them, absent where they are
 * not given, and the names of the whole template; any other argument is a mistake. Types: `text`, `number`, `boolean`,
 * `list`, `record`, or the words that may stand (`raw|qcow2`).
 */
interface Argument {
  readonly name: string
  readonly type: 'text' | 'number' | 'boolean' | 'list' | 'record' | readonly string[]
  readonly required: boolean
}

export interface Declaration {
  readonly summary: string
  readonly arguments: readonly Argument[]
}

const LINE = /^@([a-z][A-Za-z0-9]*) +([A-Za-z0-9|_.:+-]+)( +required)?$/
const TYPES = ['text', 'number', 'boolean', 'list', 'record'] as const

/** Undefined for a comment that declares nothing. @throws {SyntaxError} a line that begins with `@` and is none of ours */
export function parseDeclaration(comment: string): Declaration | undefined {
  const lines = comment.split('\n').map((line) => line.trim())
  const declared = lines.filter((line) => line.startsWith('@'))
  if (declared.length === 0) return undefined
  return {
    summary: lines.filter((line) => line !== '' && !line.startsWith('@')).join(' '),
    arguments: declared.filter((line) => line !== '@none').map(parseArgument),
  }
}

function parseArgument(line: string): Argument {
  const [, name, written = '', required] = LINE.exec(line) ?? []
  if (name === undefined) throw new SyntaxError(`not an argument: ${JSON.stringify(line.slice(0, 60))}`)
  const type = TYPES.find((one) => one === written) ?? written.split('|')
  return { name, type, required: required !== undefined }
}

/** What is wrong with the value given for an argument; undefined where it may stand. */
export function findArgumentFault({ name, type, required }: Argument, value: unknown): string | undefined {
  if (value === undefined) return required ? `needs a value for ${name}` : undefined
  if (typeof type !== 'string') {
    return type.some((word) => word === value || word === `${Number(value)}`)
      ? undefined
      : `takes ${type.join(', ')} for ${name}, not ${show(value)}`
  }
  const isRecord = typeof value === 'object' && value !== null && !Array.isArray(value)
  const fits =
    type === 'list'
      ? Array.isArray(value)
      : type === 'record'
        ? isRecord
        : type === 'text'
          ? ['string', 'number', 'boolean'].includes(typeof value)
          : typeof value === type
  return fits ? undefined : `takes a ${type} for ${name}, not ${show(value)}`
}

function show(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 60)
}
