/**
 * `parseXml`: the only maker of an `XmlDocument`. fast-xml-parser reads the text and our own source reader keeps its
 * characters; the two readings must agree node by node, so a document that different parsers see differently is refused.
 * Input may be hostile: size, characters, DOCTYPE, entities, depth and count are bounded before any tree is built.
 * Test oracle: xmllint, and `formatXml(parseXml(text)) === text`.
 */
import { XMLParser, XMLValidator } from 'fast-xml-parser'
import { VmpkgError } from '../errors.ts'
import { findForbiddenCharacter, normaliseLineEnds } from './lexical.ts'
import { failAt, readSource } from './source.ts'
import { formatXml, type XmlDocument, type XmlElement, type XmlNode } from './tree.ts'

/** Bytes of UTF-8 that a document may have. */
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
})

/**
 * Reads XML text without loss.
 * @throws {VmpkgError} `XML_INVALID` (not well-formed, DOCTYPE, encoding, control characters, over 4 MiB, too deep)
 */
export function parseXml(text: string): XmlDocument {
  if (Buffer.byteLength(text) > MAXIMUM_XML_BYTES) {
    throw new VmpkgError('XML_INVALID', `XML larger than ${MAXIMUM_XML_BYTES} bytes`, {
      hint: 'Shorten the document.',
    })
  }
  const forbidden = findForbiddenCharacter(text)
  if (forbidden !== -1) failAt(text, forbidden, 'a control character or half a surrogate pair')
  const document = readSource(text)
  requireAgreement(text, document.root)
  return document
}

/** Elements, attributes and character data as both readers see them; fast-xml-parser misreads quotes in instructions, so it gets none. */
function requireAgreement(text: string, root: XmlElement): void {
  const content = formatXml(root, (leaf) => leaf.type === 'text' || leaf.type === 'cdata')
  const verdict = XMLValidator.validate(content)
  if (verdict !== true) failAt(text, 0, `fast-xml-parser: ${JSON.stringify(verdict.err.msg)}`)
  let nodes: readonly Entry[]
  try {
    nodes = entriesOf(parser.parse(content))
  } catch (cause) {
    return failAt(text, 0, `fast-xml-parser: ${JSON.stringify(cause instanceof Error ? cause.message : 'refused')}`)
  }
  const [first] = nodes
  const agrees =
    nodes.length === 1 &&
    first !== undefined &&
    JSON.stringify(summariseOrdered(nameOf(first), first)) === JSON.stringify(summarise(root))
  if (!agrees) failAt(text, 0, 'two parsers read different documents from it')
}

/** What both readings are reduced to: name, raw attributes, children; text merged where nothing stands between. */
interface Summary {
  readonly name: string
  readonly attributes: readonly (readonly [string, string])[]
  readonly children: readonly (Summary | string)[]
}

type Entry = Readonly<Record<string, unknown>>

function isEntry(value: unknown): value is Entry {
  return typeof value === 'object' && value !== null
}

function entriesOf(value: unknown): readonly Entry[] {
  return Array.isArray(value) ? value.filter(isEntry) : []
}

function summariseOrdered(name: string, entry: Entry): Summary {
  const written = entry[':@']
  const attributes = Object.entries(isEntry(written) ? written : {}).map(
    ([key, value]) => [key, normaliseLineEnds(String(value))] as const,
  )
  const children: (Summary | string)[] = []
  for (const child of entriesOf(entry[name])) {
    const key = nameOf(child)
    if (key === '#text') addText(children, String(child[key]))
    else if (key === '#cdata') addText(children, textOf(child[key]))
    else children.push(summariseOrdered(key, child))
  }
  return { name, attributes: attributes.toSorted(byName), children }
}

function summarise(element: XmlElement): Summary {
  const children: (Summary | string)[] = []
  for (const node of element.children) {
    if (node.type === 'element') children.push(summarise(node))
    else addText(children, characterData(node))
  }
  const attributes = element.attributes.map(({ name, raw }) => [name, normaliseLineEnds(raw)] as const)
  return { name: element.name, attributes: attributes.toSorted(byName), children }
}

function nameOf(entry: Entry): string {
  return Object.keys(entry).find((key) => key !== ':@') ?? ''
}

function characterData(node: XmlNode): string {
  if (node.type === 'text') return node.raw
  return node.type === 'cdata' ? node.raw.slice(9, -3) : ''
}

function addText(children: (Summary | string)[], raw: string): void {
  if (raw === '') return
  const text = normaliseLineEnds(raw)
  const last = children.at(-1)
  if (typeof last === 'string') children[children.length - 1] = last + text
  else children.push(text)
}

function textOf(value: unknown): string {
  return entriesOf(value)
    .map((entry) => (typeof entry['#text'] === 'string' ? entry['#text'] : ''))
    .join('')
}

function byName(left: readonly [string, string], right: readonly [string, string]): number {
  return left[0] < right[0] ? -1 : 1
}
