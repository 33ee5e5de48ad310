/**
 * Regular expressions of packages, matched in linear time: a package may write any pattern, so the engine must not
 * backtrack. A subset of JavaScript's syntax (literals, `.`, classes, `\d \w \s`, groups, `|`, `* + ? {m,n}`) becomes a
 * small automaton whose states are all followed at once. The whole value must match. Test oracle: JavaScript's RegExp.
 */
import { VmpkgError } from '../errors.ts'

type Test = (character: string) => boolean
type Syntax =
  | { readonly kind: 'character'; readonly test: Test }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly Syntax[] }
  | { readonly kind: 'repeat'; readonly part: Syntax; readonly least: number; readonly most: number }

/** A state consumes a character or forks; `next` are indexes of states. */
interface State {
  readonly test: Test | undefined
  readonly next: number[]
}

const MAXIMUM_LENGTH = 256
const MAXIMUM_STATES = 2000
const MAXIMUM_DEPTH = 32
const CLASSES: Readonly<Record<string, Test>> = {
  d: (c) => c >= '0' && c <= '9',
  w: (c) => /^[A-Za-z0-9_]$/.test(c),
  s: (c) => /^\s$/u.test(c),
}

/**
 * Compiles a pattern; the result says whether a whole value matches.
 * @throws {VmpkgError} `MANIFEST_INVALID` for syntax beyond the subset or a pattern that is too large
 */
export function compilePattern(pattern: string): (value: string) => boolean {
  const states: State[] = []
  const add = (test: Test | undefined, ...next: number[]): number => {
    if (states.length >= MAXIMUM_STATES) refuse(pattern, 'too large')
    return states.push({ test, next }) - 1
  }
  const end = add(undefined)
  const start = build(readPattern(pattern), end, add, states)
  return (value) => {
    let current = follow(states, [start])
    for (const character of value) {
      const reached: number[] = []
      for (const index of current) {
        const state = states[index]
        if (state?.test?.(character) === true) reached.push(...state.next)
      }
      current = follow(states, reached)
      if (current.size === 0) return false
    }
    return current.has(end)
  }
}

/** Builds states that lead to `end`; returns where they begin. */
function build(
  syntax: Syntax,
  end: number,
  add: (test: Test | undefined, ...next: number[]) => number,
  states: State[],
): number {
  switch (syntax.kind) {
    case 'character':
      return add(syntax.test, end)
    case 'sequence':
      return syntax.parts.reduceRight((next, part) => build(part, next, add, states), end)
    case 'choice':
      return add(undefined, ...syntax.parts.map((part) => build(part, end, add, states)))
    case 'repeat':
    default: {
      const { part, least, most } = syntax
      let next = end
      if (most === Number.POSITIVE_INFINITY) {
        next = add(undefined, end)
        const body = build(part, next, add, states)
        states[next]?.next.push(body)
      } else
        for (let count = least; count < most; count += 1) next = add(undefined, end, build(part, next, add, states))
      for (let count = 0; count < least; count += 1) next = build(part, next, add, states)
      return next
    }
  }
}

/** All states reached without consuming a character. */
function follow(states: readonly State[], from: readonly number[]): Set<number> {
  const reached = new Set<number>()
  const open = [...from]
  for (let index = open.pop(); index !== undefined; index = open.pop()) {
    if (reached.has(index)) continue
    reached.add(index)
    const state = states[index]
    if (state !== undefined && state.test === undefined) open.push(...state.next)
  }
  return reached
}

function readPattern(pattern: string): Syntax {
  if (pattern.length > MAXIMUM_LENGTH) refuse(pattern, `longer than ${MAXIMUM_LENGTH}`)
  const text = Array.from(pattern.replace(/^\^/, '').replace(/(?<=(?:^|[^\\])(?:\\\\)*)\$$/, ''))
  let at = 0
  const accept = (character: string): boolean => {
    if (text[at] !== character) return false
    at += 1
    return true
  }

  const readChoice = (depth: number): Syntax => {
    if (depth > MAXIMUM_DEPTH) refuse(pattern, 'nested too deep')
    const parts = [readSequence(depth)]
    while (accept('|')) parts.push(readSequence(depth))
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : { kind: 'choice', parts }
  }
  const readSequence = (depth: number): Syntax => {
    const parts: Syntax[] = []
    while (at < text.length && text[at] !== '|' && text[at] !== ')') parts.push(readRepeated(depth))
    return { kind: 'sequence', parts }
  }
  const readRepeated = (depth: number): Syntax => {
    const part = readAtom(depth)
    const bounds = readBounds()
    if (bounds === undefined) return part
    if ('*+?{'.includes(text[at] ?? ' ')) refuse(pattern, 'two repetitions in a row')
    return { kind: 'repeat', part, least: bounds[0], most: bounds[1] }
  }
  const readBounds = (): [number, number] | undefined => {
    if (accept('*')) return [0, Number.POSITIVE_INFINITY]
    if (accept('+')) return [1, Number.POSITIVE_INFINITY]
    if (accept('?')) return [0, 1]
    if (text[at] !== '{') return undefined
    const [whole, low, comma, high] = /^\{(\d{1,3})(,?)(\d{0,3})\}/.exec(text.slice(at).join('')) ?? []
    if (whole === undefined || (comma === '' && high !== '')) return refuse(pattern, '"{" that is no repetition')
    at += whole.length
    const least = Number(low)
    const most = comma === '' ? least : high === '' ? Number.POSITIVE_INFINITY : Number(high)
    return most < least ? refuse(pattern, 'a repetition that runs backwards') : [least, most]
  }
  const readAtom = (depth: number): Syntax => {
    const character = text[at] ?? ''
    at += 1
    if (character === '(') {
      if (accept('?') && !(accept(':') || refuse(pattern, 'look-around or a named group'))) return refuse(pattern, '')
      const inner = readChoice(depth + 1)
      return accept(')') ? inner : refuse(pattern, 'an open group')
    }
    if (character === '[') return { kind: 'character', test: readClass() }
    if (character === '.') return { kind: 'character', test: (c) => !/[\n\r\u2028\u2029]/.test(c) }
    if (character === '\\') return { kind: 'character', test: readEscape() }
    if ('^$*+?{}]'.includes(character)) return refuse(pattern, `${JSON.stringify(character)} where it means nothing`)
    return { kind: 'character', test: (c) => c === character }
  }
  const readEscape = (): Test => {
    const character = text[at] ?? ''
    at += 1
    const known = Object.hasOwn(CLASSES, character) ? CLASSES[character] : undefined
    if (known !== undefined) return known
    if (!/^[^A-Za-z0-9]$/u.test(character)) return refuse(pattern, `escape "\\${character}"`)
    return (c) => c === character
  }
  const readClass = (): Test => {
    const negated = accept('^')
    const tests: Test[] = []
    while (at < text.length && text[at] !== ']') {
      const escaped = text[at] === '\\'
      const isSet = escaped && /^[dws]$/.test(text[at + 1] ?? '')
      if (isSet) {
        at += 1
        tests.push(readEscape())
        continue
      }
      const low = readMember()
      if (text[at] === '-' && text[at + 1] !== ']' && text[at + 1] !== undefined) {
        at += 1
        const high = readMember()
        if ((high.codePointAt(0) ?? 0) < (low.codePointAt(0) ?? 0)) refuse(pattern, 'a range that runs backwards')
        tests.push(
          (c) =>
            (c.codePointAt(0) ?? 0) >= (low.codePointAt(0) ?? 0) &&
            (c.codePointAt(0) ?? 0) <= (high.codePointAt(0) ?? 0),
        )
      } else tests.push((c) => c === low)
    }
    if (!accept(']')) refuse(pattern, 'an open class')
    return (c) => tests.some((test) => test(c)) !== negated
  }
  const readMember = (): string => {
    const character = text[at] ?? ''
    at += 1
    if (character !== '\\') return character
    const escaped = text[at] ?? ''
    at += 1
    return /^[^A-Za-z0-9]$/u.test(escaped) ? escaped : refuse(pattern, `escape "\\${escaped}" in a class`)
  }

  const syntax = readChoice(0)
  return at === text.length ? syntax : refuse(pattern, 'a group that was never opened')
}

function refuse(pattern: string, reason: string): never {
  throw new VmpkgError(
    'MANIFEST_INVALID',
    `Pattern ${JSON.stringify(pattern.slice(0, 80))} cannot be used: ${reason}`,
    {
      hint: 'Use literals, classes, groups, "|" and the repetitions * + ? {m,n}.',
    },
  )
}
