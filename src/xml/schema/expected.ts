/** What a pattern would take next, for messages: names of elements and attributes, values. */
import type { DataType } from './data-type.ts'
import { listNames } from './name-class.ts'
import type { AttributeStep, Pattern } from './pattern.ts'

/** Names of the elements that may come next. */
export function expectedElements(pattern: Pattern): readonly string[] {
  return collect(pattern, (part) => (part.kind === 'element' ? listNames(part.name) : undefined))
}

/** Names of the attributes that may still be given. */
export function expectedAttributes(pattern: Pattern): readonly string[] {
  return collect(pattern, (part) => (part.kind === 'attribute' ? listNames(part.name) : undefined))
}

/** Names of attributes without which the start tag cannot end; of alternatives one is enough. */
export function missingAttributes(pattern: Pattern): readonly string[] {
  return missing(pattern, (part) => (part.kind === 'attribute' ? listNames(part.name) : undefined))
}

/** Names of elements without which the element cannot end. */
export function missingElements(pattern: Pattern): readonly string[] {
  return missing(pattern, (part) => (part.kind === 'element' ? listNames(part.name) : undefined))
}

/** Values in words: `"file"`, `an integer from 0 to 255`. */
export function expectedValues(patterns: readonly Pattern[]): readonly string[] {
  return unique(patterns.flatMap((pattern) => collect(pattern, describeValue)))
}

export function expectedOfSteps(steps: readonly AttributeStep[]): readonly string[] {
  return expectedValues(steps.map(({ value }) => value))
}

function describeValue(part: Pattern): readonly string[] | undefined {
  if (part.kind === 'value') return [JSON.stringify(part.value)]
  if (part.kind === 'data') return [describeType(part.type)]
  if (part.kind === 'text') return ['any text']
  return part.kind === 'list' ? ['a list of words'] : undefined
}

function describeType({ name, minimum, maximum, patterns }: DataType): string {
  const [pattern] = patterns
  if (pattern !== undefined) return `text that matches ${pattern.length > 80 ? `${pattern.slice(0, 77)}...` : pattern}`
  if (minimum !== undefined && maximum !== undefined) return `an integer from ${minimum} to ${maximum}`
  if (minimum !== undefined) return `an integer from ${minimum}`
  if (name === 'integer') return 'an integer'
  if (name === 'string' || name === 'token') return 'any text'
  return { NCName: 'a name', anyURI: 'a URI', dateTime: 'a date with time', double: 'a number' }[name] ?? name
}

type Pick = (part: Pattern) => readonly string[] | undefined

function collect(pattern: Pattern, pick: Pick): readonly string[] {
  return unique(walk(pattern))

  function walk(part: Pattern): readonly string[] {
    const found = pick(part)
    if (found !== undefined) return found
    switch (part.kind) {
      case 'choice':
      case 'interleave':
        return part.items.flatMap(walk)
      case 'group': {
        // Attributes come in any order, elements in this one.
        const end = part.items.findIndex((item) => !item.nullable && item.kind !== 'attribute')
        return part.items.flatMap((item, at) => (end === -1 || at <= end || item.attributes ? walk(item) : []))
      }
      case 'oneOrMore':
      case 'list':
        return walk(part.of)
      case 'after':
        return walk(part.content)
      case 'empty':
      case 'notAllowed':
      case 'text':
      case 'data':
      case 'value':
      case 'attribute':
      case 'element':
        return []
    }
  }
}

function missing(pattern: Pattern, pick: Pick): readonly string[] {
  const found = pick(pattern)
  if (found !== undefined) return found
  switch (pattern.kind) {
    case 'choice':
      return pattern.nullable ? [] : unique(pattern.items.flatMap((item) => missing(item, pick)))
    case 'group':
    case 'interleave':
      return unique(pattern.items.flatMap((item) => missing(item, pick)))
    case 'oneOrMore':
    case 'list':
      return missing(pattern.of, pick)
    case 'after':
      return missing(pattern.content, pick)
    case 'empty':
    case 'notAllowed':
    case 'text':
    case 'data':
    case 'value':
    case 'attribute':
    case 'element':
      return []
  }
}

function unique(words: readonly string[]): readonly string[] {
  return [...new Set(words)]
}
