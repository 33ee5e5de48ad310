/**
 * Derivatives of patterns: what may follow after a start tag, an attribute, text or an end tag. Each is remembered on
 * the pattern it was made of. Source: Clark, "An algorithm for RELAX NG validation".
 */
import { collapseSpace } from './data-type.ts'
import { containsName, formatName, type XmlName } from './name-class.ts'
import type { AttributeStep, Pattern, PatternTable } from './pattern.ts'

/** After the name of a start tag. */
export function openElement(table: PatternTable, pattern: Pattern, name: XmlName): Pattern {
  const key = formatName(name)
  const memo = (pattern.memo.opened ??= new Map<string, Pattern>())
  const known = memo.get(key)
  if (known !== undefined) return known
  const made = open(table, pattern, name)
  memo.set(key, made)
  return made
}

function open(table: PatternTable, pattern: Pattern, name: XmlName): Pattern {
  const inner = (part: Pattern): Pattern => openElement(table, part, name)
  switch (pattern.kind) {
    case 'element':
      return containsName(pattern.name, name) ? table.after(pattern.content(), table.empty) : table.notAllowed
    case 'choice':
      return table.choice(pattern.items.map(inner))
    case 'oneOrMore':
      return withRest(table, inner(pattern.of), (rest) => table.group([rest, table.choice([pattern, table.empty])]))
    case 'after':
      return withRest(table, inner(pattern.content), (rest) => table.after(rest, pattern.rest))
    case 'group':
      return table.choice(
        reachable(pattern.items).map((item, at) =>
          withRest(table, inner(item), (rest) => table.group([rest, ...pattern.items.slice(at + 1)])),
        ),
      )
    case 'interleave':
      return table.choice(
        pattern.items.map((item, at) =>
          withRest(table, inner(item), (rest) => table.interleave(pattern.items.with(at, rest))),
        ),
      )
    case 'empty':
    case 'notAllowed':
    case 'text':
    case 'data':
    case 'value':
    case 'list':
    case 'attribute':
      return table.notAllowed
  }
}

/** The items of a group that may come next: up to the first that cannot be nothing. */
function reachable(items: readonly Pattern[]): readonly Pattern[] {
  const end = items.findIndex((item) => !item.nullable)
  return end === -1 ? items : items.slice(0, end + 1)
}

function withRest(table: PatternTable, opened: Pattern, change: (rest: Pattern) => Pattern): Pattern {
  const parts = opened.kind === 'choice' ? opened.items : [opened]
  return table.choice(
    parts.map((part) => (part.kind === 'after' ? table.after(part.content, change(part.rest)) : table.notAllowed)),
  )
}

/** The ways an attribute of that name may be taken: the value it must have, and what is left then. */
export function attributeSteps(table: PatternTable, pattern: Pattern, name: XmlName): readonly AttributeStep[] {
  if (!pattern.attributes) return []
  const key = formatName(name)
  const memo = (pattern.memo.attributed ??= new Map<string, readonly AttributeStep[]>())
  const known = memo.get(key)
  if (known !== undefined) return known
  const made = steps(table, pattern, name).filter(({ rest }) => rest.kind !== 'notAllowed')
  memo.set(key, made)
  return made
}

function steps(table: PatternTable, pattern: Pattern, name: XmlName): readonly AttributeStep[] {
  const inner = (part: Pattern, change: (rest: Pattern) => Pattern): readonly AttributeStep[] =>
    attributeSteps(table, part, name).map(({ value, rest }) => ({ value, rest: change(rest) }))
  switch (pattern.kind) {
    case 'attribute':
      return containsName(pattern.name, name) ? [{ value: pattern.value, rest: table.empty }] : []
    case 'choice':
      return pattern.items.flatMap((item) => attributeSteps(table, item, name))
    case 'oneOrMore':
      return inner(pattern.of, (rest) => table.group([rest, table.choice([pattern, table.empty])]))
    case 'after':
      return inner(pattern.content, (rest) => table.after(rest, pattern.rest))
    case 'group':
      return pattern.items.flatMap((item, at) => inner(item, (rest) => table.group(pattern.items.with(at, rest))))
    case 'interleave':
      return pattern.items.flatMap((item, at) => inner(item, (rest) => table.interleave(pattern.items.with(at, rest))))
    case 'empty':
    case 'notAllowed':
    case 'text':
    case 'data':
    case 'value':
    case 'list':
    case 'element':
      return []
  }
}

/** After an attribute with its value. */
export function takeAttribute(table: PatternTable, found: readonly AttributeStep[], value: string): Pattern {
  return table.choice(found.filter((step) => matchesValue(table, step.value, value)).map(({ rest }) => rest))
}

function matchesValue(table: PatternTable, pattern: Pattern, value: string): boolean {
  return (pattern.nullable && isBlank(value)) || takeText(table, pattern, value).nullable
}

/**
 * After the last attribute of a start tag.
 * @param forgive take attributes that are missing as if they were there
 */
export function closeStartTag(table: PatternTable, pattern: Pattern, forgive = false): Pattern {
  if (!pattern.attributes) return pattern
  const slot = forgive ? 'forgiven' : 'closed'
  const inner = (part: Pattern): Pattern => closeStartTag(table, part, forgive)
  const close = (): Pattern => {
    switch (pattern.kind) {
      case 'attribute':
        return forgive ? table.empty : table.notAllowed
      case 'choice':
        return table.choice(pattern.items.map(inner))
      case 'group':
        return table.group(pattern.items.map(inner))
      case 'interleave':
        return table.interleave(pattern.items.map(inner))
      case 'oneOrMore':
        return table.oneOrMore(inner(pattern.of))
      case 'after':
        return table.after(inner(pattern.content), pattern.rest)
      case 'empty':
      case 'notAllowed':
      case 'text':
      case 'data':
      case 'value':
      case 'list':
      case 'element':
        return pattern
    }
  }
  return (pattern.memo[slot] ??= close())
}

/** After text; of an attribute's value, or inside an element. */
export function takeText(table: PatternTable, pattern: Pattern, text: string): Pattern {
  const inner = (part: Pattern): Pattern => takeText(table, part, text)
  switch (pattern.kind) {
    case 'text':
      return pattern
    case 'value': {
      const plain = pattern.type.name === 'string'
      const same = plain ? text === pattern.value : collapseSpace(text) === collapseSpace(pattern.value)
      return same ? table.empty : table.notAllowed
    }
    case 'data': {
      const excepted = pattern.except !== undefined && matchesValue(table, pattern.except, text)
      return pattern.type.accepts(text) && !excepted ? table.empty : table.notAllowed
    }
    case 'list': {
      const words = text.split(/[ \t\r\n]+/).filter((word) => word !== '')
      return words.reduce((rest, word) => takeText(table, rest, word), pattern.of).nullable
        ? table.empty
        : table.notAllowed
    }
    case 'choice':
      return table.choice(pattern.items.map(inner))
    case 'oneOrMore':
      return table.group([inner(pattern.of), table.choice([pattern, table.empty])])
    case 'after':
      return table.after(inner(pattern.content), pattern.rest)
    case 'group':
      return table.choice(
        reachable(pattern.items).map((item, at) => table.group([inner(item), ...pattern.items.slice(at + 1)])),
      )
    case 'interleave':
      return table.choice(pattern.items.map((item, at) => table.interleave(pattern.items.with(at, inner(item)))))
    case 'empty':
    case 'notAllowed':
    case 'attribute':
    case 'element':
      return table.notAllowed
  }
}

/**
 * After an end tag.
 * @param forgive take content that is missing as if it were there
 */
export function closeElement(table: PatternTable, pattern: Pattern, forgive = false): Pattern {
  if (pattern.kind === 'choice') return table.choice(pattern.items.map((item) => closeElement(table, item, forgive)))
  return pattern.kind === 'after' && (forgive || pattern.content.nullable) ? pattern.rest : table.notAllowed
}

export function isBlank(text: string): boolean {
  return /^[ \t\r\n]*$/.test(text)
}
