/**
 * Reads the source characters of an XML text into a preserved tree: what fast-xml-parser does not keep (white space
 * inside tags, quotes, processing instructions, line ends) and strictly by XML 1.0, so that no other reader, libvirt's
 * least of all, can see another document in it. Input may be hostile: DOCTYPE, depth and count are refused, and every
 * character is looked at a bounded number of times.
 */
import { VmpkgError } from '../errors.ts'
import { areReferencesValid, findNameEnd } from './lexical.ts'
import type { XmlAttribute, XmlDocument, XmlElement, XmlLeaf, XmlNode } from './tree.ts'

/** As deep as libxml2 reads without XML_PARSE_HUGE, which libvirt does not set (`xmlParserMaxDepth`). */
export const MAXIMUM_DEPTH = 256
/** One for every ten bytes of the greatest document; denser than any real one, so that memory stays bounded. */
const MAXIMUM_NODES = 400_000
const MAXIMUM_ATTRIBUTES = 256
const DECLARATION =
  /^<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(['"])1\.[0-9]+\1(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(['"])[A-Za-z][A-Za-z0-9._-]{0,39}\2)?(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(['"])(?:yes|no)\3)?[ \t\r\n]*\?>$/

export interface Source {
  readonly document: XmlDocument
  /** The characters of the root element without comments and processing instructions. */
  readonly content: string
}

/** Reads a whole document. @throws {VmpkgError} `XML_INVALID` with line and column */
export function readSource(text: string): Source {
  const nodes: XmlNode[] = []
  const open: XmlElement[] = []
  const pieces: string[] = []
  let root: XmlElement | undefined
  let parent: XmlElement | undefined
  let pieceStart = 0
  let position = 0
  let count = 0

  const fail = (reason: string, at = position): never => failAt(text, at, reason)
  const add = (node: XmlNode): void => {
    count += 1
    if (count > MAXIMUM_NODES) fail(`more than ${MAXIMUM_NODES} nodes`)
    if (parent === undefined) nodes.push(node)
    else parent.children.push(node)
  }
  const takeSpace = (): string => {
    const start = position
    while (isSpace(text.charCodeAt(position))) position += 1
    return start === position ? '' : text.slice(start, position)
  }
  const takeName = (): string => {
    const start = position
    position = findNameEnd(text, start)
    const name = text.slice(start, position)
    if (name === '__proto__') fail('a name that reaches for a prototype', start)
    return name
  }
  const until = (mark: string, from: number, what: string): string => {
    const end = text.indexOf(mark, from)
    if (end === -1) fail(`${what} is not closed`)
    return text.slice(position, end + mark.length)
  }
  const leaf = (type: XmlLeaf['type'], raw: string): void => {
    add({ type, raw })
    position += raw.length
  }
  const leaveOut = (type: 'comment' | 'instruction', raw: string): void => {
    if (parent !== undefined) pieces.push(text.slice(pieceStart, position))
    leaf(type, raw)
    if (parent !== undefined) pieceStart = position
  }
  const close = (): void => {
    if (open.length === 0) pieces.push(text.slice(pieceStart, position))
    parent = open.at(-1)
  }

  const readAttributes = (): XmlAttribute[] => {
    const attributes: XmlAttribute[] = []
    for (;;) {
      const before = takeSpace()
      const name = takeName()
      if (name === '') {
        position -= before.length
        return attributes
      }
      if (attributes.length === MAXIMUM_ATTRIBUTES) fail(`more than ${MAXIMUM_ATTRIBUTES} attributes`)
      if (before === '') fail('an attribute needs white space before it')
      for (const other of attributes) if (other.name === name) fail(`attribute ${JSON.stringify(name)} twice`)
      const equalsStart = position
      takeSpace()
      if (text[position] !== '=') fail('an attribute needs a quoted value')
      position += 1
      takeSpace()
      const equals = position === equalsStart + 1 ? '=' : text.slice(equalsStart, position)
      const quote = text[position]
      if (quote !== '"' && quote !== "'") return fail('an attribute needs a quoted value')
      const end = text.indexOf(quote, position + 1)
      if (end === -1) fail('an attribute value is not closed')
      const raw = text.slice(position + 1, end)
      if (raw.includes('<') || !areReferencesValid(raw)) fail('an attribute value holds "<" or an unknown entity')
      position = end + 1
      attributes.push({ before, name, equals, quote, raw })
    }
  }

  const readStartTag = (): void => {
    const start = position
    position += 1
    const name = takeName()
    if (name === '') fail('"<" begins no tag')
    if (open.length === 0 && root !== undefined) fail('a second root element')
    if (open.length >= MAXIMUM_DEPTH) fail(`nested deeper than ${MAXIMUM_DEPTH}`)
    const attributes = readAttributes()
    const startTail = takeSpace()
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
    if (root === undefined) {
      root = element
      pieceStart = start
    }
    if (selfClosing) close()
    else {
      open.push(element)
      parent = element
    }
  }

  const readEndTag = (): void => {
    position += 2
    const name = takeName()
    const element = open.pop()
    if (element === undefined || element.name !== name) return fail('an end tag without its start tag')
    element.endTail = takeSpace()
    if (text[position] !== '>') fail('an end tag is not closed')
    position += 1
    close()
  }

  const readText = (): void => {
    const found = text.indexOf('<', position)
    const raw = text.slice(position, found === -1 ? text.length : found)
    if (open.length === 0 && /[^ \t\r\n]/.test(position === 0 ? raw.replace(/^\uFEFF/, '') : raw)) {
      fail('text outside the root element')
    }
    if (raw.includes(']]>') || !areReferencesValid(raw)) fail('text holds "]]>" or an unknown entity')
    leaf('text', raw)
  }

  const readInstruction = (): void => {
    const raw = until('?>', position + 2, 'a processing instruction')
    const target = raw.slice(2, findNameEnd(raw, 2))
    const after = raw.charAt(2 + target.length)
    if (target.toLowerCase() === 'xml') {
      if (position !== 0 && text.slice(0, position) !== '\uFEFF') fail('an XML declaration that is not at the start')
      if (!DECLARATION.test(raw)) fail('an XML declaration that is not one of version 1')
      leaf('declaration', raw)
      return
    }
    if (target === '' || !/[ \t\r\n?]/.test(after)) fail('a processing instruction without a target')
    if (after === '?' && raw.length !== target.length + 4) {
      fail('a processing instruction without white space after its target')
    }
    leaveOut('instruction', raw)
  }

  while (position < text.length) {
    if (text.charCodeAt(position) !== LESS_THAN) readText()
    else if (text.charCodeAt(position + 1) === SLASH) readEndTag()
    else if (text.charCodeAt(position + 1) === QUESTION_MARK) readInstruction()
    else if (text.charCodeAt(position + 1) !== EXCLAMATION_MARK) readStartTag()
    else if (text.startsWith('<!--', position)) {
      const raw = until('-->', position + 4, 'a comment')
      if (raw.slice(4, -2).includes('--')) fail('"--" inside a comment')
      leaveOut('comment', raw)
    } else if (text.startsWith('<![CDATA[', position)) {
      if (open.length === 0) fail('CDATA outside the root element')
      leaf('cdata', until(']]>', position + 9, 'a CDATA section'))
    } else fail('a DOCTYPE or another declaration')
  }
  if (open.length > 0) fail(`element ${JSON.stringify(open.at(-1)?.name)} is not closed`)
  if (root === undefined) return fail('no element')
  return { document: { nodes, root }, content: pieces.join('') }
}

const LESS_THAN = 0x3c
const SLASH = 0x2f
const QUESTION_MARK = 0x3f
const EXCLAMATION_MARK = 0x21

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x09 || code === 0x0d
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
