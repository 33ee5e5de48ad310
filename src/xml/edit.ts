/**
 * Edits of a preserved tree, in place: each changes the node it names and nothing else; new elements take the
 * indentation of their neighbours. Values are written escaped; names are the caller's own and checked.
 */
import { VmpkgError } from '../errors.ts'
import { childElements } from './find.ts'
import { escapeXml, isXmlName } from './lexical.ts'
import { parseXml } from './parse.ts'
import type { XmlElement, XmlNode } from './tree.ts'

/**
 * Sets an attribute; a new one goes last, quoted as its neighbours are.
 * @throws {VmpkgError} `XML_INVALID` for a value that XML cannot carry
 */
export function setAttribute(element: XmlElement, name: string, value: string): void {
  requireName(name)
  const raw = escapeXml(value)
  const present = element.attributes.find((attribute) => attribute.name === name)
  if (present !== undefined) present.raw = raw
  else element.attributes.push({ before: ' ', name, equals: '=', quote: element.attributes.at(-1)?.quote ?? "'", raw })
}

/** Removes an attribute where it is present. */
export function removeAttribute(element: XmlElement, name: string): void {
  element.attributes = element.attributes.filter((attribute) => attribute.name !== name)
}

/**
 * Replaces the whole content of an element by text.
 * @throws {VmpkgError} `XML_INVALID` for text that XML cannot carry
 */
export function setText(element: XmlElement, text: string): void {
  element.children = text === '' ? [] : [{ type: 'text', raw: escapeXml(text) }]
}

/** Where a new child goes: last, or beside a child of the same parent. */
export interface InsertPlace {
  readonly before?: XmlElement
  readonly after?: XmlElement
}

/**
 * Parses one element and makes it a child of `parent`, indented as its new neighbours. Foreign namespaces are declared
 * in the fragment itself (`<vmpkg:domain xmlns:vmpkg=…>`). Returns the new element.
 * @throws {VmpkgError} `XML_INVALID` for a fragment that is not one well-formed element
 */
export function insertElement(parent: XmlElement, fragment: string, place: InsertPlace = {}): XmlElement {
  const element = parseXml(fragment).root
  const children = parent.children
  const neighbour = place.before ?? place.after ?? childElements(parent).at(-1)
  if (neighbour === undefined) {
    children.push(element)
    return element
  }
  const at = children.indexOf(neighbour)
  if (at === -1) throw new TypeError('The neighbour is not a child of this parent')
  const indent = indentBefore(children, at)
  const added: XmlNode[] = indent === undefined ? [element] : [{ type: 'text', raw: indent }, element]
  if (indent !== undefined) indentLines(element, indent)
  if (place.before === undefined) children.splice(at + 1, 0, ...added)
  else children.splice(at, 0, ...added.toReversed())
  return element
}

/** Removes a child together with the indentation before it. */
export function removeElement(parent: XmlElement, child: XmlElement): void {
  const at = parent.children.indexOf(child)
  if (at === -1) throw new TypeError('The element is not a child of this parent')
  const indented = indentBefore(parent.children, at) !== undefined && !isTextEdge(parent.children, at)
  parent.children.splice(indented ? at - 1 : at, indented ? 2 : 1)
  if (childElements(parent).length === 0 && parent.children.every((node) => isBlank(node))) parent.children = []
}

function indentBefore(children: readonly XmlNode[], at: number): string | undefined {
  const before = children[at - 1]
  return before !== undefined && before.type === 'text' && isBlank(before) ? before.raw : undefined
}

/** White space between two runs of text belongs to the text: `a <b/> c`. */
function isTextEdge(children: readonly XmlNode[], at: number): boolean {
  const after = children[at + 1]
  return after !== undefined && after.type === 'text' && !isBlank(after)
}

function isBlank(node: XmlNode): boolean {
  return node.type === 'text' && /^[ \t\r\n]*$/.test(node.raw)
}

function indentLines(element: XmlElement, indent: string): void {
  const newline = indent.lastIndexOf('\n')
  if (newline === -1) return
  const blank = indent.slice(newline + 1)
  for (const child of element.children) {
    if (child.type === 'text' && isBlank(child)) child.raw = child.raw.replaceAll('\n', `\n${blank}`)
    else if (child.type === 'element') indentLines(child, indent)
  }
}

function requireName(name: string): void {
  if (!isXmlName(name)) {
    throw new VmpkgError('XML_INVALID', `Not an XML name: ${JSON.stringify(name.slice(0, 80))}`, {
      hint: 'Use letters, digits, "-", "_" and "."; begin with a letter.',
    })
  }
}
