/**
 * `parseXml`: the only maker of an `XmlDocument`. fast-xml-parser reads the text and our own source reader keeps its
 * characters; the two readings must agree node by node, so a document that different parsers see differently is refused.
 * Input may be hostile: size, characters, DOCTYPE, entities, depth and count are bounded before any tree is built.
 * Test oracle: xmllint, and `formatXml(parseXml(text)) === text`.
 */
import { XMLParser } from 'fast-xml-parser'
import { VmpkgError } from '../errors.ts'
import { findForbiddenCharacter, normaliseLineEnds } from './lexical.ts'
import { failAt, MAXIMUM_DEPTH, readSource } from './source.ts'
import { formatXml, type XmlAttribute, type XmlDocument, type XmlElement } from './tree.ts'

/** Bytes of UTF-8 that a document may have; the longest string that libvirt takes or gives (`REMOTE_STRING_MAX`). */
export const MAXIMUM_XML_BYTES = 4 * 1024 * 1024

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  trimValues: false,
  parseTagValue: false,
  parseAttributeValue: false,
  processEntities: false,
  cdataPropName: '#cdata',
  jPath: false,
  maxNestedTags: MAXIMUM_DEPTH,
  onDangerousProperty: (name) => name,
})
/** Names that fast-xml-parser refuses, though a document may use them. */
const RESERVED = /^(?:constructor|prototype)$/

/**
 * Reads XML text without loss. A text is characters, so an encoding that its declaration names has to be UTF-8, or one
 * in which these characters are the same bytes; `parseXmlBytes` reads files in others.
 * @throws {VmpkgError} `XML_INVALID` (not well-formed, DOCTYPE, encoding, control characters, over 4 MiB, too deep)
 */
export function parseXml(text: string): XmlDocument {
  requireSize(Buffer.byteLength(text))
  const [declaration, encoding] = findDeclaration(text)
  if (encoding !== undefined && !isUtf8(encoding) && !(isAsciiSuperset(encoding) && isAscii(text))) {
    failAt(text, declaration, `declared as ${encoding}, but here it is read as UTF-8`)
  }
  return parseCharacters(text)
}

/** What `parseXml` does once the characters are known. @throws {VmpkgError} `XML_INVALID` */
export function parseCharacters(text: string): XmlDocument {
  const forbidden = findForbiddenCharacter(text)
  if (forbidden !== -1) failAt(text, forbidden, 'a control character or half a surrogate pair')
  const { document, content } = readSource(text)
  requireLineEnds(text)
  requireAgreement(text, document.root, content)
  return document
}

/** @throws {VmpkgError} `XML_INVALID` where it is more than libvirt takes */
export function requireSize(bytes: number): void {
  if (bytes <= MAXIMUM_XML_BYTES) return
  throw new VmpkgError('XML_INVALID', `XML larger than ${MAXIMUM_XML_BYTES} bytes`, { hint: 'Shorten the document.' })
}

/** Offset of the encoding's name and the name, as in `<?xml version='1.0' encoding='UTF-8'?>`. */
export function findDeclaration(text: string): readonly [number, string | undefined] {
  const found = /^\uFEFF?<\?xml[ \t\r\n][^>]*?[ \t\r\n]encoding[ \t\r\n]*=[ \t\r\n]*["']([^"'<>]{0,40})["']/.exec(text)
  return found === null ? [0, undefined] : [found[0].length - (found[1] ?? '').length - 1, found[1]]
}

export function isUtf8(encoding: string): boolean {
  return /^utf-?8$/i.test(encoding)
}

/** Encodings whose first 128 codes are ASCII's, whatever stands before them. */
function isAsciiSuperset(encoding: string): boolean {
  return /^(?:us-)?ascii$|^iso-8859-[0-9]{1,2}$|^latin-?[0-9]{1,2}$|^windows-125[0-9]$|^koi8-[ru]$/i.test(encoding)
}

function isAscii(text: string): boolean {
  return Buffer.byteLength(text) === text.length
}

/** XML 1.1 knows two line ends more; readers of 1.0, libxml2 too, take a later version as 1.0 (XML 1.0, 2.8). */
function requireLineEnds(text: string): void {
  const version = /^\uFEFF?<\?xml[^>]*?version[^'"]*["']([^"']*)/.exec(text)?.[1] ?? '1.0'
  const at = version === '1.0' ? -1 : text.search(/[\u0085\u2028]/)
  if (at !== -1) failAt(text, at, `a character that is a line end in XML ${version} and none in 1.0`)
}

/** Elements, attributes and character data as both readers see them; fast-xml-parser misreads quotes in instructions, so it gets none. */
function requireAgreement(text: string, root: XmlElement, content: string): void {
  const hasReserved = content.includes('constructor') || content.includes('prototype')
  const ours = hasReserved ? withoutReservedNames(root) : root
  let theirs: unknown
  try {
    theirs = parser.parse(hasReserved ? formatXml(ours) : content)
  } catch (cause) {
    return failAt(text, 0, `fast-xml-parser: ${JSON.stringify(cause instanceof Error ? cause.message : 'refused')}`)
  }
  const entries = Array.isArray(theirs) ? theirs : []
  if (entries.length !== 1 || !isSameElement(ours, entries[0])) {
    failAt(text, 0, 'two parsers read different documents from it')
  }
}

/** A copy without comments and instructions, in which fast-xml-parser meets no name that it refuses. */
function withoutReservedNames(element: XmlElement): XmlElement {
  const rename = (name: string): string => (RESERVED.test(name) ? `${name}-` : name)
  return {
    ...element,
    name: rename(element.name),
    attributes: element.attributes.map((attribute) => ({ ...attribute, name: rename(attribute.name) })),
    children: element.children
      .filter((node) => node.type !== 'comment' && node.type !== 'instruction')
      .map((node) => (node.type === 'element' ? withoutReservedNames(node) : node)),
  }
}

/** What fast-xml-parser makes of a node: one key with its name, and `:@` where it has attributes. */
type Entry = Readonly<Record<string, unknown>>

function isEntry(value: unknown): value is Entry {
  return typeof value === 'object' && value !== null
}

function isSameElement(ours: XmlElement, theirs: unknown): boolean {
  if (!isEntry(theirs) || nameOf(theirs) !== ours.name || !hasSameAttributes(ours.attributes, theirs[':@']))
    return false
  const entries = theirs[ours.name]
  if (!Array.isArray(entries)) return false
  let at = 0
  /** Text and CDATA up to the next element, together: nothing stands between them for either reader. */
  const takeText = (): string => {
    let text = ''
    for (; at < entries.length; at += 1) {
      const entry: unknown = entries[at]
      const raw = isEntry(entry) ? textOf(entry) : undefined
      if (raw === undefined) break
      text += raw
    }
    return text
  }
  let text = ''
  for (const node of ours.children) {
    if (node.type === 'text') text += node.raw
    else if (node.type === 'cdata') text += node.raw.slice(9, -3)
    else if (node.type === 'element') {
      if (takeText() !== normaliseLineEnds(text) || !isSameElement(node, entries[at])) return false
      at += 1
      text = ''
    }
  }
  return takeText() === normaliseLineEnds(text) && at === entries.length
}

function hasSameAttributes(ours: readonly XmlAttribute[], theirs: unknown): boolean {
  if (!isEntry(theirs)) return ours.length === 0
  let count = 0
  for (const name in theirs) if (Object.hasOwn(theirs, name)) count += 1
  return (
    count === ours.length &&
    ours.every(({ name, raw }) => Object.hasOwn(theirs, name) && theirs[name] === normaliseLineEnds(raw))
  )
}

function nameOf(entry: Entry): string | undefined {
  for (const name in entry) if (name !== ':@' && Object.hasOwn(entry, name)) return name
  return undefined
}

function textOf(entry: Entry): string | undefined {
  const name = nameOf(entry)
  if (name === '#text') return typeof entry[name] === 'string' ? entry[name] : undefined
  if (name !== '#cdata') return undefined
  const inner = entry[name]
  if (!Array.isArray(inner)) return undefined
  return inner.map((one: unknown) => (isEntry(one) && typeof one['#text'] === 'string' ? one['#text'] : '')).join('')
}
