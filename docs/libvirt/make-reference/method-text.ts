/** One method, or one event, as Markdown. */
import type { Fields, Shape } from '../../../src/libvirt/codecs.ts'
import type { Row } from '../../../src/libvirt/methods.ts'
import { type Named, type Names, noNames, rowNames } from './comments.ts'
import { functionOf } from './functions.ts'
import type { Doc } from './source.ts'
import { NAMES_SHOWN, signature, visible } from './types.ts'

export function methodText(name: string, row: Row, named: Named): string {
  const [args, result] = rowNames(named.value)
  return blocks([
    `### \`${name}\``,
    fenced(signature(name, row)),
    named.doc?.text,
    fieldList(row.args, args, 0),
    resultList(row, result),
    throwsText(named.doc),
    factsText(row),
  ])
}

/** What is thrown, as a list. */
export function throwsText(doc: Doc | undefined): string | undefined {
  if (doc === undefined || doc.throws.length === 0) return undefined
  return ['Errors:', '', ...doc.throws.map((one) => `- ${one.replace(/^\{(\w+)\}/, '`$1`')}`)].join('\n')
}

/** Release, function, and on which connection it runs. */
function factsText(row: Row): string {
  const calls = functionOf(row.name)
  return [
    `libvirt ${row.since}`,
    calls === undefined ? `procedure \`${row.name}\`` : `\`${calls}\``,
    ...(row.kind === 'stream' ? [`opens a stream (${DIRECTIONS[row.direction]})`] : []),
    ...(row.isLong ? ['may last minutes: runs on a second connection'] : []),
  ].join(' · ')
}

const DIRECTIONS = { read: 'to read', write: 'to write', both: 'to read and write' }

/** A bare result has no name to show. */
function resultList(row: Row, names: Names): string | undefined {
  const fields = visible(row.result)
  const [only] = fields
  if (only === undefined) return undefined
  if (row.kind === 'call' && fields.length === 1) {
    const [name, codec] = only
    const named = names.get(name)
    const inner = named?.names() ?? noNames
    const inside = insideList(codec.shape, inner, 0)
    const text = [named?.doc?.text, plainNames(codec.shape, inner)].filter((one) => one !== undefined).join(' ')
    return text === '' && inside === '' ? undefined : blocks([text === '' ? 'Result:' : `Result: ${text}`, inside])
  }
  const list = fieldList(row.result, names, 0)
  return list === '' ? undefined : blocks(['Result:', list])
}

/** Fields that have something to say: a comment, or names of flags, choices and parameters. */
export function fieldList(fields: Fields, names: Names, depth: number): string {
  return visible(fields)
    .map(([name, codec]) => {
      const named = names.get(name)
      const inner = named?.names() ?? noNames
      const inside = insideList(codec.shape, inner, depth + 1)
      const text = [named?.doc?.text, plainNames(codec.shape, inner)].filter((one) => one !== undefined).join(' ')
      return text === '' && inside === ''
        ? ''
        : `${item(name, undefined, text, depth)}${inside === '' ? '' : `\n${inside}`}`
    })
    .filter((line) => line !== '')
    .join('\n')
}

/** Names without comments, where the signature does not show all of them. */
function plainNames(shape: Shape, names: Names): string | undefined {
  if (shape.kind === 'list' || shape.kind === 'maybe') return plainNames(shape.of, names)
  if (shape.kind !== 'choice' && shape.kind !== 'flags') return undefined
  const all = Object.keys(shape.numbers)
  if (all.length <= NAMES_SHOWN || hasComments(all, names)) return undefined
  return `${all.map((name) => `\`${name}\``).join(', ')}.`
}

/** What is within a field and has comments of its own. */
function insideList(shape: Shape, names: Names, depth: number): string {
  switch (shape.kind) {
    case 'list':
    case 'maybe':
      return insideList(shape.of, names, depth)
    case 'struct':
      return fieldList(shape.fields, names, depth)
    case 'choice':
    case 'flags': {
      const all = Object.keys(shape.numbers)
      if (!hasComments(all, names)) return ''
      return all.map((name) => item(name, undefined, names.get(name)?.doc?.text, depth)).join('\n')
    }
    case 'parameters':
      return Object.entries(shape.known)
        .map(([name, type]) => item(name, type, names.get(name)?.doc?.text, depth))
        .join('\n')
    case 'scalar':
    case 'object':
      return ''
  }
}

function hasComments(all: readonly string[], names: Names): boolean {
  return all.some((name) => names.get(name)?.doc !== undefined)
}

function item(name: string, type: string | undefined, text: string | undefined, depth: number): string {
  const head = `${'  '.repeat(depth)}- \`${name}\`${type === undefined ? '' : ` (${type})`}`
  return text === undefined || text === '' ? head : `${head}: ${text.replaceAll(/\s+/g, ' ')}`
}

export function fenced(code: string): string {
  return `\`\`\`ts\n${code}\n\`\`\``
}

/** Blocks of Markdown with an empty line between; those that are not there are left out. */
export function blocks(parts: readonly (string | undefined)[]): string {
  return parts.filter((part) => part !== undefined && part !== '').join('\n\n')
}
