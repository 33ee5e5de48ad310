/**
 * What a tree says, apart from how it is written: names with their namespaces whatever the prefix, attributes without
 * order and quotes, text with its references read, no comments, instructions or layout. Equal meanings have equal numbers,
 * so that comparing whole trees is comparing two integers. Linear in the size of the tree.
 */
import { getText } from './find.ts'
import { identityOf, isOrderMeant } from './identity.ts'
import { decodeAttribute, decodeReferences } from './lexical.ts'
import type { XmlElement } from './tree.ts'

/** Prefixes in scope and their namespaces; the default namespace has the prefix ``. */
export type Scope = ReadonlyMap<string, string>

export interface Meaning {
  readonly element: XmlElement
  /** `{namespace}local`; `local` in none. */
  readonly name: string
  readonly scope: Scope
  /** By expanded name: the name as written, and the value. */
  readonly attributes: ReadonlyMap<string, { readonly written: string; readonly value: string }>
  /** Character data at both ends without white space; of an element with children only where there is more than layout. */
  readonly text: string
  /** Text beside child elements: such an element is one piece. */
  readonly isMixed: boolean
  readonly children: readonly Meaning[]
  readonly identity: string | undefined
  /** The same for elements that say the same, within one `Meanings`. */
  readonly number: number
}

const QEMU_ENVIRONMENT = '{http://libvirt.org/schemas/domain/qemu/1.0}env'
const XML_NAMESPACE = 'http://www.w3.org/XML/1998/namespace'
export const TOP_SCOPE: Scope = new Map([
  ['', ''],
  ['xml', XML_NAMESPACE],
])

/** Reads meanings and numbers them; those to be compared have to be read by one of these. */
export class Meanings {
  readonly #numbers = new Map<string, number>()

  read(element: XmlElement, outer: Scope = TOP_SCOPE): Meaning {
    const scope = extendScope(outer, element)
    const name = expandName(scope, element.name)
    const attributes = new Map<string, { written: string; value: string }>()
    for (const { name: written, raw } of element.attributes) {
      if (isDeclaration(written)) continue
      const expanded = written.includes(':') ? expandName(scope, written) : written
      attributes.set(expanded, { written, value: decodeAttribute(raw) })
    }
    const children: Meaning[] = []
    for (const child of element.children) if (child.type === 'element') children.push(this.read(child, scope))
    const text = getText(element).trim()
    const isMixed = text !== '' && children.length > 0
    const content = isMixed ? this.#segments(element, children) : inMeantOrder(children).map(({ number }) => number)
    const says = JSON.stringify([
      name,
      [...attributes].map(([key, { value }]) => [key, value]).toSorted(([a = ''], [b = '']) => (a < b ? -1 : 1)),
      isMixed ? '' : text,
      content,
    ])
    let number = this.#numbers.get(says)
    if (number === undefined) {
      number = this.#numbers.size
      this.#numbers.set(says, number)
    }
    return { element, name, scope, attributes, text, isMixed, children, identity: identityOf(element), number }
  }

  #segments(element: XmlElement, children: readonly Meaning[]): readonly (string | number)[] {
    const segments: (string | number)[] = []
    const numbers = new Map(children.map(({ element: child, number }) => [child, number]))
    let text = ''
    for (const node of element.children) {
      if (node.type === 'text') text += decodeReferences(node.raw)
      else if (node.type === 'cdata') text += node.raw.slice(9, -3).replace(/\r\n?/g, '\n')
      else if (node.type === 'element') {
        segments.push(text.trim(), numbers.get(node) ?? -1)
        text = ''
      }
    }
    return [...segments, text.trim()]
  }
}

/** Siblings by name, in the order of the document. */
export function groupByName(siblings: readonly Meaning[]): ReadonlyMap<string, readonly Meaning[]> {
  return Map.groupBy(siblings, ({ name }) => name)
}

/** Of elements without identity, and of foreign ones, nobody here knows that their order means nothing. */
export function isGroupOrdered(name: string, group: readonly Meaning[]): boolean {
  if (group.length < 2) return false
  if (name.startsWith('{')) return name !== QEMU_ENVIRONMENT
  if (group.some(({ identity }) => identity === undefined)) return true
  return isOrderMeant(
    name,
    group.map(({ element }) => element),
  )
}

function inMeantOrder(children: readonly Meaning[]): readonly Meaning[] {
  const groups = [...groupByName(children)].toSorted(([a], [b]) => (a < b ? -1 : 1))
  return groups.flatMap(([name, group]) =>
    isGroupOrdered(name, group) ? group : group.toSorted((a, b) => a.number - b.number),
  )
}

export function isDeclaration(attribute: string): boolean {
  return attribute === 'xmlns' || attribute.startsWith('xmlns:')
}

/** What an element's own declarations add. */
export function extendScope(outer: Scope, element: XmlElement): Scope {
  let scope: Map<string, string> | undefined
  for (const { name, raw } of element.attributes) {
    if (!isDeclaration(name)) continue
    scope ??= new Map(outer)
    scope.set(name.slice(6), decodeAttribute(raw))
  }
  return scope ?? outer
}

/** A name as `{namespace}local`; as it is written where its prefix is declared nowhere. */
export function expandName(scope: Scope, written: string): string {
  const colon = written.indexOf(':')
  const namespace = scope.get(colon === -1 ? '' : written.slice(0, colon))
  if (namespace === undefined || namespace === '') return written
  return `{${namespace}}${written.slice(colon + 1)}`
}
