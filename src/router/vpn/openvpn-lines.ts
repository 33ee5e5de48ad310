/**
 * Cuts an OpenVPN config into directives exactly as OpenVPN 2.6 does: quotes, backslashes, comments, `--`, inline blocks.
 * Where OpenVPN is lenient (more words than it keeps, a line in pieces) we refuse, so nobody reads more into a line.
 */
import { ProfileProblem } from './problem.ts'

export interface Directive {
  readonly line: number
  readonly name: string
  readonly args: readonly string[]
  /** Content of an inline block, one item a line. */
  readonly block?: readonly string[]
}

/** OpenVPN's buffer for a line holds 256 with its end. */
const MAX_LINE = 254
const MAX_WORDS = 16

/** @param first number of the first line. @throws {ProfileProblem} */
export function parseLines(lines: readonly string[], first = 1): readonly Directive[] {
  const found: Directive[] = []
  for (let index = 0; index < lines.length; index++) {
    const line = first + index
    const words = parseWords(lines[index] ?? '', line)
    if (words.length === 0) continue
    const [head = '', ...args] = words
    const name = head.length >= 3 && head.startsWith('--') ? head.slice(2) : head
    if (args.length === 0 && name.length > 2 && name.startsWith('<') && name.endsWith('>')) {
      const tag = name.slice(1, -1)
      const block = readBlock(lines.slice(index + 1), tag, line)
      found.push({ line, name: tag, args: [], block })
      index += block.length + 1
    } else found.push({ line, name, args })
  }
  return found
}

/** A block ends at the first line that begins with its closing tag, whatever follows there. */
function readBlock(lines: readonly string[], tag: string, line: number): readonly string[] {
  const end = lines.findIndex((text) => text.trimStart().startsWith(`</${tag}>`))
  if (end < 0) throw new ProfileProblem(line, tag.slice(0, 40), 'the inline block has no end')
  const block = lines.slice(0, end)
  const long = block.findIndex(isTooLong)
  if (long >= 0) throw tooLong(line + 1 + long)
  return block
}

function isTooLong(text: string): boolean {
  return Buffer.byteLength(text) > MAX_LINE
}

function tooLong(line: number): ProfileProblem {
  return new ProfileProblem(line, '', `the line is longer than ${MAX_LINE} bytes, which OpenVPN would cut`)
}

/** @throws {ProfileProblem} for a quote without end and a backslash before anything but a backslash, quote or space */
function parseWords(text: string, line: number): readonly string[] {
  if (isTooLong(text)) throw tooLong(line)
  const words: string[] = []
  let index = 0
  while (index < text.length) {
    const char = text.charAt(index)
    if (isSpace(char)) {
      index++
      continue
    }
    if (char === '#' || char === ';') break
    const isQuoted = char === '"' || char === "'"
    const read = readWord(text, isQuoted ? index + 1 : index, isQuoted ? char : '', line)
    words.push(read.word)
    index = read.next
  }
  if (words.length > MAX_WORDS) throw new ProfileProblem(line, '', `the line has more than ${MAX_WORDS} words`)
  return words
}

function isSpace(char: string): boolean {
  return char === ' ' || char === '\t'
}

function readWord(text: string, start: number, end: string, line: number): { word: string; next: number } {
  let word = ''
  for (let index = start; index < text.length; index++) {
    let char = text.charAt(index)
    if (char === '\\' && end !== "'") {
      char = text.charAt(++index)
      // OpenVPN skips an escaped space before a word.
      const isKept = /^[\\"]$/.test(char) || (isSpace(char) && (end !== '' || word !== ''))
      if (!isKept) throw new ProfileProblem(line, '', 'a backslash stands where it means nothing')
    } else if (end === '' ? isSpace(char) : char === end) return { word, next: index + 1 }
    word += char
  }
  if (end !== '') throw new ProfileProblem(line, '', 'a quote has no end')
  return { word, next: text.length }
}

/** The word as a config spells it. */
export function formatWord(word: string): string {
  return /^[A-Za-z0-9][A-Za-z0-9.:_,+@=/-]*$/.test(word) ? word : `"${word.replaceAll(/[\\"]/g, '\\$&')}"`
}
