/**
 * Edits of a preserved tree, in place: each changes the node it names and nothing else; new elements take the
 * indentation of their neighbours. Values are written escaped; names are the caller's own and checked. An edit that would
 * say what is said already leaves the characters as they are.
 */
import { VmpkgError } from '../errors.ts'
import { childElements, getAttribute, getText } from './find.ts'
import { escapeText, escapeXml, isXmlName } from './lexical.ts'
import { parseXml } from './parse.ts'
import type { XmlDocument, XmlElement, XmlNode } from './tree.ts'

/**
 * Sets an attribute; a new one goes last, quoted as its neighbours are.
 * @throws {VmpkgError} `XML_INVALID` for a value that XML cannot carry
 */
export function setAttribute(element: XmlElement, name: string, value: string): void {
  requireName(name)
  if (getAttribute(element, name) === value) return
  const raw = escapeXml(value)
  const present = element.attributes.find((attribute) => attribute.name === name)
  if (present !== undefined) {
    present.raw = raw
    return
  }
  const last = element.attributes.at(-1)
  const onLines = element.attributes.length > 1 && last?.before.includes('\n') === true
  element.attributes.push({
    before: onLines ? last.before : ' ',
    name,
    equals: '=',
    quote: last?.quote ?? "'",
    raw,
  })
}

/** Removes an attribute where it is present. */
export function removeAttribute(element: XmlElement, name: string): void {
  element.attributes = element.attributes.filter((attribute) => attribute.name !== name)
}

/**
 * Replaces the character data of an element. Comments and instructions stay, unless it has child elements: these go, and
 * all between them.
 * @throws {VmpkgError} `XML_INVALID` for text that XML cannot carry
 */
export function setText(element: XmlElement, text: string): void {
  const hasElements = childElements(element).length > 0
  if (!hasElements && getText(element) === text) return
  const written: XmlNode[] = text === '' ? [] : [{ type: 'text', raw: escapeText(text) }]
  if (hasElements) {
    element.children = written
    return
  }
  const at = element.children.findIndex((node) => isCharacterData(node))
  const before = at === -1 ? [] : element.children.slice(0, at)
  const after = element.children.slice(before.length).filter((node) => !isCharacterData(node))
  element.children = [...before, ...written, ...after]
}

/** Where a new child goes: last, or beside a child of the same parent. */
export interface InsertPlace {
  readonly before?: XmlElement
  readonly after?: XmlElement
  /** The document or an ancestor, from which the indentation of a parent without children follows. */
  readonly within?: XmlDocument | XmlElement
}

/**
 * Parses one element and makes it a child of `parent`, indented as its new neighbours. Foreign namespaces are declared
 * in the fragment itself (`<vmpkg:domain xmlns:vmpkg=…>`). Returns the new element.
 * @throws {VmpkgError} `XML_INVALID` for a fragment that is not one well-formed element
 */
export function insertElement(parent: XmlElement, fragment: string, place: InsertPlace = {}): XmlElement {
  const element = parseXml(fragment).root
  placeElement(parent, element, place)
  return element
}

/** Removes a child together with the indentation before it. */
export function removeElement(parent: XmlElement, child: XmlElement): void {
  const at = indexOf(parent, child)
  const indented = at > 0 && isBlank(parent.children[at - 1]) && !isMixed(parent)
  parent.children.splice(indented ? at - 1 : at, indented ? 2 : 1)
  if (parent.children.every((node) => isBlank(node))) parent.children = []
}

/**
 * Puts another element where a child is; what surrounds it stays. Returns the new element.
 * @throws {VmpkgError} `XML_INVALID` for a fragment that is not one well-formed element
 */
export function replaceElement(parent: XmlElement, child: XmlElement, fragment: string): XmlElement {
  const at = indexOf(parent, child)
  const element = parseXml(fragment).root
  reindent(element, indentBefore(parent.children, at))
  parent.children[at] = element
  return element
}

/** Moves a child beside another of the same parent, or under another parent, with its indentation. */
export function moveElement(parent: XmlElement, child: XmlElement, to: InsertPlace & { parent?: XmlElement }): void {
  const target = to.parent ?? parent
  if (child === to.before || child === to.after) return
  const neighbour = to.before ?? to.after
  if (neighbour !== undefined) indexOf(target, neighbour)
  if (isWithin(child, target)) throw new TypeError('An element cannot move into itself')
  removeElement(parent, child)
  placeElement(target, child, to)
}

function placeElement(parent: XmlElement, element: XmlElement, place: InsertPlace): void {
  const children = parent.children
  const neighbour = place.before ?? place.after ?? childElements(parent).at(-1)
  if (neighbour === undefined) {
    placeFirst(parent, element, place.within)
    return
  }
  const at = indexOf(parent, neighbour)
  const indent = isMixed(parent) ? undefined : indentBefore(children, at)
  const added: XmlNode[] = indent === undefined ? [element] : [{ type: 'text', raw: indent }, element]
  reindent(element, indent)
  if (place.before === undefined) children.splice(at + 1, 0, ...added)
  else children.splice(at, 0, ...added.toReversed())
}

/** Into a parent without child elements: one level deeper than the parent, which is known by what precedes it or its end tag. */
function placeFirst(parent: XmlElement, element: XmlElement, within: XmlDocument | XmlElement | undefined): void {
  if (isMixed(parent)) {
    parent.children.push(element)
    return
  }
  const last = parent.children.at(-1)
  const found = within === undefined ? undefined : findIndents(within, parent)
  const outer = isBlank(last) ? lastLine(last.raw) : found?.own
  if (outer === undefined) {
    reindent(element, undefined)
    parent.children.push(element)
    return
  }
  const indent = `${outer}${found?.unit ?? '  '}`
  reindent(element, indent)
  if (isBlank(last)) parent.children.pop()
  parent.children.push({ type: 'text', raw: indent }, element, { type: 'text', raw: outer })
}

/** The line end and blanks before an element, and the blanks that one level adds to those of `outer`. */
function findIndents(
  within: XmlDocument | XmlElement,
  wanted: XmlElement,
  outer = '',
): { readonly own: string; readonly unit: string } | undefined {
  const children = 'nodes' in within ? within.nodes : within.children
  for (const [at, child] of children.entries()) {
    if (child.type !== 'element') continue
    const own = indentBefore(children, at) ?? ('nodes' in within ? '\n' : undefined)
    const blanks = own?.replace(/^\r?\n/, '') ?? outer
    if (child === wanted) {
      const unit = blanks.startsWith(outer) ? blanks.slice(outer.length) : ''
      return own?.includes('\n') === true ? { own, unit: unit === '' ? '  ' : unit } : undefined
    }
    const deeper = findIndents(child, wanted, blanks)
    if (deeper !== undefined) return deeper
  }
  return undefined
}

function indexOf(parent: XmlElement, child: XmlElement): number {
  const at = parent.children.indexOf(child)
  if (at === -1) throw new TypeError('The element is not a child of this parent')
  return at
}

function isWithin(outer: XmlElement, element: XmlElement): boolean {
  return outer === element || childElements(outer).some((child) => isWithin(child, element))
}

/** The last line end before a child and the blanks after it; all of the white space where it is one line. */
function indentBefore(children: readonly XmlNode[], at: number): string | undefined {
  const before = children[at - 1]
  if (!isBlank(before)) return undefined
  return lastLine(before.raw) ?? before.raw
}

function lastLine(raw: string): string | undefined {
  return /\r?\n[ \t]*$/.exec(raw)?.[0]
}

/** White space beside text belongs to the text: `a <b/> c`. */
function isMixed(parent: XmlElement): boolean {
  return parent.children.some((node) => isCharacterData(node) && !isBlank(node))
}

function isCharacterData(node: XmlNode): boolean {
  return node.type === 'text' || node.type === 'cdata'
}

function isBlank(node: XmlNode | undefined): node is XmlNode & { readonly type: 'text' } {
  return node?.type === 'text' && /^[ \t\r\n]*$/.test(node.raw)
}

/** Shifts the lines inside an element, whose own indentation is that of its end tag, to that of its new place. */
function reindent(element: XmlElement, indent: string | undefined): void {
  const to = indent === undefined ? undefined : lastLine(indent)
  if (to === undefined) return
  const last = element.children.at(-1)
  const from = (isBlank(last) ? lastLine(last.raw) : undefined)?.replace(/^\r?\n/, '') ?? ''
  shiftLines(element, from, to)
}

function shiftLines(element: XmlElement, from: string, to: string): void {
  if (isMixed(element)) return
  for (const child of element.children) {
    if (child.type === 'element') shiftLines(child, from, to)
    else if (child.type === 'text') {
      child.raw = child.raw.replace(/\r?\n([ \t]*)/g, (_, blanks: string) =>
        blanks.startsWith(from) ? to + blanks.slice(from.length) : to + blanks,
      )
    }
  }
}

function requireName(name: string): void {
  if (!isXmlName(name) || name === '__proto__') {
    throw new VmpkgError('XML_INVALID', `Not an XML name: ${JSON.stringify(name.slice(0, 80))}`, {
      hint: 'Use letters, digits, "-", "_" and "."; begin with a letter.',
    })
  }
}
