/**
 * Reads the source characters of an XML text into a preserved tree: what fast-xml-parser does not keep (white space
 * inside tags, quotes, processing instructions, line ends) and strictly by XML 1.0, so that no other reader, libvirt's
 * least of all, can see another document in it. Input may be hostile: DOCTYPE, other encodings, depth and count are refused.
 */
import { VmpkgError } from '../errors.ts'
import { areReferencesValid, NAME } from './lexical.ts'
import type { XmlAttribute, XmlDocument, XmlElement, XmlNode } from './tree.ts'

const MAXIMUM_DEPTH = 64
const MAXIMUM_NODES = 100_000
const MAXIMUM_ATTRIBUTES = 256
const SPACE = /[ \t\r\n]*/y
const DECLARATION =
  /^<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(['"])1\.0\1(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(['"])utf-8\2)?(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(['"])(?:yes|no)\3)?[ \t\r\n]*\?>$/i

/** Reads a whole document. @throws {VmpkgError} `XML_INVALID` with line and column */
export function readSource(text: string): XmlDocument {
  const nodes: XmlNode[] = []
  const open: XmlElement[] = []
  let root: XmlElement | undefined
  let position = 0
  let count = 0

  const fail = (reason: string, at = position): never => failAt(text, at, reason)
  const add = (node: XmlNode): void => {
    count += 1
    if (count > MAXIMUM_NODES) fail(`more than ${MAXIMUM_NODES} nodes`)
    const parent = open.at(-1)
    if (parent !== undefined) parent.children.push(node)
    else nodes.push(node)
  }
  const take = (pattern: RegExp): string => {
    pattern.lastIndex = position
    const found = pattern.exec(text)?.[0] ?? ''
    position += found.length
    return found
  }
  const until = (mark: string, from: number, what: string): string => {
    const end = text.indexOf(mark, from)
    if (end === -1) fail(`${what} is not closed`)
    return text.slice(position, end + mark.length)
  }
  const leaf = (type: 'comment' | 'cdata' | 'instruction' | 'declaration', raw: string): void => {
    add({ type, raw })
    position += raw.length
  }

  const readAttributes = (): XmlAttribute[] => {
    const attributes: XmlAttribute[] = []
    for (;;) {
      const before = take(SPACE)
      const name = take(NAME)
      if (name === '') {
        position -= before.length
        return attributes
      }
      if (attributes.length === MAXIMUM_ATTRIBUTES) fail(`more than ${MAXIMUM_ATTRIBUTES} attributes`)
      if (before === '') fail('an attribute needs white space before it')
      if (attributes.some((other) => other.name === name)) fail(`attribute ${JSON.stringify(name)} twice`)
      const equals = take(/[ \t\r\n]*=[ \t\r\n]*/y)
      const quote = text[position]
      if (equals === '' || (quote !== '"' && quote !== "'")) return fail('an attribute needs a quoted value')
      const end = text.indexOf(quote, position + 1)
      if (end === -1) fail('an attribute value is not closed')
      const raw = text.slice(position + 1, end)
      if (raw.includes('<') || !areReferencesValid(raw)) fail('an attribute value holds "<" or an unknown entity')
      position = end + 1
      attributes.push({ before, name, equals, quote, raw })
    }
  }

  const readStartTag = (): void => {
    position += 1
    const name = take(NAME)
    if (name === '') fail('"<" begins no tag')
    if (open.length === 0 && root !== undefined) fail('a second root element')
    if (open.length >= MAXIMUM_DEPTH) fail(`nested deeper than ${MAXIMUM_DEPTH}`)
    const attributes = readAttributes()
    const startTail = take(SPACE)
    const selfClosing = text[position] === '/'
    if (selfClosing) position += 1
    if (text[position] !== '>') fail('a tag is not closed')
    position += 1
    const element: XmlElement = {
      type: 'element',
      name,
      attributes,
      startTail,
      selfClosing,
      children: [],
      endTail: '',
    }
    add(element)
    root ??= element
    if (!selfClosing) open.push(element)
  }

  const readEndTag = (): void => {
    position += 2
    const name = take(NAME)
    const element = open.pop()
    if (element === undefined || element.name !== name) return fail('an end tag without its start tag')
    element.endTail = take(SPACE)
    if (text[position] !== '>') fail('an end tag is not closed')
    position += 1
  }

  const readText = (): void => {
    const found = text.indexOf('<', position)
    const end = found === -1 ? text.length : found
    const raw = text.slice(position, end)
    if (open.length === 0 && /[^ \t\r\n]/.test(position === 0 ? raw.replace(/^\uFEFF/, '') : raw)) {
      fail('text outside the root element')
    }
    if (raw.includes(']]>') || !areReferencesValid(raw)) fail('text holds "]]>" or an unknown entity')
    add({ type: 'text', raw })
    position = end
  }

  while (position < text.length) {
    if (text[position] !== '<') readText()
    else if (text.startsWith('<!--', position)) {
      const raw = until('-->', position + 4, 'a comment')
      if (raw.slice(4, -2).includes('--')) fail('"--" inside a comment')
      leaf('comment', raw)
    } else if (text.startsWith('<![CDATA[', position)) {
      if (open.length === 0) fail('CDATA outside the root element')
      leaf('cdata', until(']]>', position + 9, 'a CDATA section'))
    } else if (text.startsWith('<!', position)) fail('a DOCTYPE or another declaration')
    else if (text.startsWith('<?', position)) {
      const raw = until('?>', position + 2, 'a processing instruction')
      if (/^<\?xml[ \t\r\n?]/i.test(raw)) {
        if (position !== 0 && text.slice(0, position) !== '\uFEFF') fail('an XML declaration that is not at the start')
        if (!DECLARATION.test(raw) || !raw.startsWith('<?xml')) {
          fail('an XML declaration other than version 1.0 and encoding UTF-8')
        }
        leaf('declaration', raw)
      } else {
        NAME.lastIndex = 2
        const target = NAME.exec(raw)?.[0] ?? ''
        if (target === '' || target.includes(':') || !/[ \t\r\n?]/.test(raw.charAt(2 + target.length))) {
          fail('a processing instruction without a target')
        }
        if (raw.charAt(2 + target.length) === '?' && raw.length !== target.length + 4) {
          fail('a processing instruction without white space after its target')
        }
        leaf('instruction', raw)
      }
    } else if (text.startsWith('</', position)) readEndTag()
    else readStartTag()
  }
  if (open.length > 0) fail(`element ${JSON.stringify(open.at(-1)?.name)} is not closed`)
  if (root === undefined) return fail('no element')
  return { nodes, root }
}

/** @throws {VmpkgError} `XML_INVALID` always */
export function failAt(text: string, at: number, reason: string): never {
  const before = text.slice(0, at)
  const line = before.split('\n').length
  const column = at - before.lastIndexOf('\n')
  throw new VmpkgError('XML_INVALID', `Not usable XML: ${reason.slice(0, 200)} (line ${line}, column ${column})`, {
    hint: 'Correct the XML; xmllint shows the same place.',
    details: { line, column },
  })
}
