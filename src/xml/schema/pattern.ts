/**
 * Patterns of RELAX NG as values: equal patterns are one object, so that what was derived from one is remembered on it
 * and never derived again. Source: RELAX NG specification, section 4; Clark, "An algorithm for RELAX NG validation"
 * (`after` is its pattern for "inside an element: first `content`, then `rest`").
 */
import type { DataType } from './data-type.ts'
import type { NameClass } from './name-class.ts'

interface Common {
  readonly id: number
  /** True where nothing at all matches too. */
  readonly nullable: boolean
  /** True where attributes may still be wanted outside elements. */
  readonly attributes: boolean
  readonly memo: Memo
}

/** What was derived from a pattern, by `derivative.ts`. */
interface Memo {
  opened?: Map<string, Pattern>
  attributed?: Map<string, readonly AttributeStep[]>
  closed?: Pattern
  forgiven?: Pattern
}

export interface AttributeStep {
  readonly value: Pattern
  readonly rest: Pattern
}

export type Pattern =
  | (Common & { readonly kind: 'empty' | 'notAllowed' | 'text' })
  | (Common & { readonly kind: 'data'; readonly type: DataType; readonly except: Pattern | undefined })
  | (Common & { readonly kind: 'value'; readonly type: DataType; readonly value: string })
  | (Common & { readonly kind: 'list' | 'oneOrMore'; readonly of: Pattern })
  | (Common & { readonly kind: 'attribute'; readonly name: NameClass; readonly value: Pattern })
  | ElementPattern
  | (Common & { readonly kind: 'choice' | 'group' | 'interleave'; readonly items: readonly Pattern[] })
  | (Common & { readonly kind: 'after'; readonly content: Pattern; readonly rest: Pattern })

/** The content is compiled when it is first asked for: elements may hold themselves. */
export interface ElementPattern extends Common {
  readonly kind: 'element'
  readonly name: NameClass
  readonly content: () => Pattern
}

/** Makes the patterns of one schema. */
export class PatternTable {
  readonly empty: Pattern = { kind: 'empty', id: 0, nullable: true, attributes: false, memo: {} }
  readonly notAllowed: Pattern = { kind: 'notAllowed', id: 1, nullable: false, attributes: false, memo: {} }
  readonly text: Pattern = { kind: 'text', id: 2, nullable: true, attributes: false, memo: {} }
  #next = 3
  readonly #known = new Map<string, Pattern>()

  data(type: DataType, except?: Pattern): Pattern {
    return { kind: 'data', type, except, ...this.#common(false, false) }
  }

  value(type: DataType, value: string): Pattern {
    return { kind: 'value', type, value, ...this.#common(false, false) }
  }

  element(name: NameClass, content: () => Pattern): Pattern {
    return { kind: 'element', name, content, ...this.#common(false, false) }
  }

  attribute(name: NameClass, value: Pattern): Pattern {
    return { kind: 'attribute', name, value, ...this.#common(false, true) }
  }

  list(of: Pattern): Pattern {
    return { kind: 'list', of, ...this.#common(false, false) }
  }

  oneOrMore(of: Pattern): Pattern {
    if (of.kind === 'empty' || of.kind === 'notAllowed' || of.kind === 'oneOrMore') return of
    return this.#once(`+${of.id}`, () => ({ kind: 'oneOrMore', of, ...this.#common(of.nullable, of.attributes) }))
  }

  after(content: Pattern, rest: Pattern): Pattern {
    if (content.kind === 'notAllowed' || rest.kind === 'notAllowed') return this.notAllowed
    return this.#once(`>${content.id},${rest.id}`, () => ({
      kind: 'after',
      content,
      rest,
      ...this.#common(false, content.attributes),
    }))
  }

  choice(parts: readonly Pattern[]): Pattern {
    const flat = parts.flatMap((part) => (part.kind === 'choice' ? part.items : [part]))
    const items = [...new Set(flat)].filter(({ kind }) => kind !== 'notAllowed').toSorted(byId)
    // What is nothing already need not be offered once more beside something that may be nothing.
    const rest = items.some(({ kind, nullable }) => nullable && kind !== 'empty')
      ? items.filter(({ kind }) => kind !== 'empty')
      : items
    const [first] = rest
    if (first === undefined) return this.notAllowed
    if (rest.length === 1) return first
    return this.#once(`|${keyOf(rest)}`, () => ({
      kind: 'choice',
      items: rest,
      ...this.#common(rest.some(isNullable), rest.some(hasAttributes)),
    }))
  }

  group(parts: readonly Pattern[]): Pattern {
    return this.#sequence('group', parts)
  }

  interleave(parts: readonly Pattern[]): Pattern {
    return this.#sequence('interleave', parts)
  }

  #sequence(kind: 'group' | 'interleave', parts: readonly Pattern[]): Pattern {
    const flat = parts.flatMap((part) => (part.kind === kind ? part.items : [part]))
    if (flat.some((part) => part.kind === 'notAllowed')) return this.notAllowed
    const items = flat.filter((part) => part.kind !== 'empty')
    const [first] = items
    if (first === undefined) return this.empty
    if (items.length === 1) return first
    const ordered = kind === 'group' ? items : items.toSorted(byId)
    return this.#once(`${kind === 'group' ? ',' : '&'}${keyOf(ordered)}`, () => ({
      kind,
      items: ordered,
      ...this.#common(ordered.every(isNullable), ordered.some(hasAttributes)),
    }))
  }

  #once(key: string, make: () => Pattern): Pattern {
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const made = make()
    this.#known.set(key, made)
    return made
  }

  #common(nullable: boolean, attributes: boolean): Common {
    const id = this.#next
    this.#next += 1
    return { id, nullable, attributes, memo: {} }
  }
}

const byId = (left: Pattern, right: Pattern): number => left.id - right.id
const keyOf = (items: readonly Pattern[]): string => items.map(({ id }) => id).join(',')
const isNullable = (pattern: Pattern): boolean => pattern.nullable
const hasAttributes = (pattern: Pattern): boolean => pattern.attributes
