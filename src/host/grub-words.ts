/**
 * Words in an assignment of a shell file such as /etc/default/grub, which grub-mkconfig sources: added inside the quotes
 * that are there, everything else kept as it is. Pure. Test oracle: sh, which sources the file.
 *
 * Source: info grub, "Simple configuration handling"; POSIX shell, quoting (2.2).
 */
import type { Withdrawal } from './managed-block.ts'

/** Words that need no quoting, neither inside quotes nor on a kernel command line. */
const SAFE_WORD = /^[\w.,:=@+/-]+$/

interface Assignment {
  /** Offsets of the value with its quotes. */
  readonly start: number
  readonly end: number
  readonly quote: '"' | "'" | ''
  /** Between the quotes, as written. */
  readonly inner: string
}

/** Values whose words can be edited in place: one piece, all in one kind of quotes or none, and nothing after it. */
const VALUE = /^("(?:[^"\\]|\\[^])*"|'[^']*'|[^\s"'`$\\;&|<>()#]*)[ \t]*(?:#.*)?$/m

/**
 * The text with the words added to the last assignment of the key.
 * @returns undefined where that cannot be done in place: no assignment, or one that only a shell understands
 */
export function addWords(text: string, key: string, words: readonly string[]): string | undefined {
  requireSafe(words)
  const found = findAssignment(text, key)
  if (found === undefined) return undefined
  const { start, end, quote, inner } = found
  const mark = quote === '' ? '"' : quote
  const value = [inner.trimEnd() === '' ? '' : inner, ...words].filter((part) => part !== '').join(' ')
  return `${text.slice(0, start)}${mark}${value}${mark}${text.slice(end)}`
}

/** Takes those very words out again. */
export function withdrawWords(text: string, key: string, words: readonly string[]): Withdrawal {
  const found = findAssignment(text, key)
  if (found === undefined) return { state: 'gone' }
  let { inner } = found
  const present = words.filter((word) => splitWords(inner).includes(word))
  if (present.length === 0) return { state: 'gone' }
  if (present.length < words.length) return { state: 'changed' }
  for (const word of words.toReversed()) inner = removeLast(inner, word)
  const { start, end, quote } = found
  return { state: 'taken', text: `${text.slice(0, start)}${quote}${inner}${quote}${text.slice(end)}` }
}

/** Words of the last assignment as they are written; none where there is no assignment. */
export function findWords(text: string, key: string): readonly string[] {
  return splitWords(findAssignment(text, key)?.inner ?? '')
}

/** An assignment at the end of a file, or in a file that is sourced later: it works whatever came before. */
export function appendingAssignment(key: string, words: readonly string[]): string {
  requireSafe(words)
  return `${key}="$${key} ${words.join(' ')}"`
}

/** Lines that look like an assignment but are a command to a shell: `KEY = "…"` (requirements, seed mistake 23). */
export function findFalseAssignments(text: string, key: string): readonly number[] {
  return text
    .split('\n')
    .flatMap((line, i) =>
      (new RegExp(`^\\s*${key}\\s*=`).test(line) && !line.trimStart().startsWith(`${key}=`)) ||
      new RegExp(`^\\s*${key}=\\s+["']`).test(line)
        ? [i + 1]
        : [],
    )
}

function findAssignment(text: string, key: string): Assignment | undefined {
  let found: Assignment | undefined
  // An indented one may stand in a condition: whether it counts only a shell knows.
  for (const match of text.matchAll(new RegExp(`^(?:export[ \\t]+)?${key}=`, 'gm'))) {
    const start = match.index + match[0].length
    const value = VALUE.exec(text.slice(start))
    const raw = value?.index === 0 ? value[1] : undefined
    if (raw === undefined) {
      found = undefined
      continue
    }
    const quote = raw.startsWith('"') ? '"' : raw.startsWith("'") ? "'" : ''
    found = { start, end: start + raw.length, quote, inner: quote === '' ? raw : raw.slice(1, -1) }
  }
  return new RegExp(`^[ \\t]+(?:export[ \\t]+)?${key}=`, 'm').test(text) ? undefined : found
}

function splitWords(inner: string): readonly string[] {
  return inner.split(/\s+/).filter((word) => word !== '')
}

function removeLast(inner: string, word: string): string {
  const escaped = word.replaceAll(/[.+]/g, '\\$&')
  const at = [...inner.matchAll(new RegExp(`(?<![^\\s])${escaped}(?![^\\s])`, 'g'))].at(-1)?.index ?? -1
  if (at === -1) return inner
  const before = inner.slice(0, at)
  const after = inner.slice(at + word.length)
  return before === '' ? after.trimStart() : before.replace(/\s$/, '') + after
}

function requireSafe(words: readonly string[]): void {
  const wrong = words.find((word) => !SAFE_WORD.test(word))
  if (wrong !== undefined) throw new TypeError(`not a plain word of a command line: ${JSON.stringify(wrong)}`)
}
