/**
 * Makes the changes that `diffXml` found, in a document like the one that it found them in. Everything they do not name
 * keeps its characters; what comes in is indented as its neighbours.
 */

import type { XmlChange } from './diff.ts'
import {
  insertElement,
  moveElement,
  removeAttribute,
  removeElement,
  replaceElement,
  setAttribute,
  setText,
} from './edit.ts'
import { childElements } from './find.ts'
import { expandName, extendScope, type Scope, TOP_SCOPE } from './meaning.ts'
import { parseXml } from './parse.ts'
import { formatXml, type XmlDocument, type XmlElement } from './tree.ts'

interface Target {
  element: XmlElement
  readonly parent: XmlElement | undefined
  /** What is declared around the element, and for its children. */
  readonly outer: Scope
  readonly scope: Scope
}

/**
 * Changes the document in place and returns it; a new one where the root itself is replaced.
 * @throws {TypeError} for changes of another document
 */
export function applyChanges(document: XmlDocument, changes: readonly XmlChange[]): XmlDocument {
  // Found before anything changes, since numbers of elements would not be theirs any more.
  const targets = new Map(changes.map(({ at }) => [at.join('/'), findTarget(document.root, at)]))
  const targetOf = ({ at }: XmlChange): Target => {
    const target = targets.get(at.join('/'))
    if (target === undefined) throw new TypeError('no such element')
    return target
  }
  for (const change of changes) {
    const target = targetOf(change)
    if (change.node === 'attribute') applyAttribute(target, change)
    else if (change.node === 'text') setText(target.element, change.after ?? '')
    else if (change.kind === 'changed' && target.parent === undefined) return withRoot(document, change.after ?? '')
    else if (change.kind === 'changed' && target.parent !== undefined) {
      target.element = replaceElement(target.parent, target.element, fitting(change.after ?? '', target.outer))
    }
  }
  for (const change of changes) {
    const { parent, element } = targetOf(change)
    if (change.kind === 'removed' && change.node === 'element' && parent !== undefined) removeElement(parent, element)
  }
  placeElements(document, changes, targetOf)
  return document
}

/** Added and moved elements, in the order of their places: what stays is in order already, so each finds its own. */
function placeElements(
  document: XmlDocument,
  changes: readonly XmlChange[],
  targetOf: (change: XmlChange) => Target,
): void {
  const waiting = new Set(changes.filter(({ kind }) => kind === 'moved').map((change) => targetOf(change).element))
  const placed = changes.filter(({ index }) => index !== undefined).toSorted((a, b) => (a.index ?? 0) - (b.index ?? 0))
  for (const change of placed) {
    const target = targetOf(change)
    const isMove = change.kind === 'moved'
    const parent = isMove ? target.parent : target.element
    if (parent === undefined) throw new TypeError('a root does not move')
    const scope = isMove ? target.outer : target.scope
    const element = isMove ? target.element : parseXml(fitting(change.after ?? '', scope)).root
    const name = nameIn(scope, element)
    const like = childElements(parent).filter((one) => !waiting.has(one) && nameIn(scope, one) === name)
    const [next, last] = [like[change.index ?? 0], like.at(-1)]
    const place = { ...(next ? { before: next } : last && { after: last }), within: document }
    waiting.delete(element)
    if (isMove) moveElement(parent, element, place)
    else insertElement(parent, formatXml(element), place)
  }
}

function applyAttribute({ element, scope }: Target, { attribute, after }: XmlChange): void {
  if (attribute === undefined) throw new TypeError('an attribute has a name')
  const present = element.attributes.find(
    ({ name }) => (name.includes(':') ? expandName(scope, name) : name) === attribute.name,
  )
  if (after === undefined) {
    if (present !== undefined) removeAttribute(element, present.name)
    return
  }
  setAttribute(element, present?.name ?? nameFor(element, scope, attribute), after)
}

/** How a new attribute is written here: with a prefix of its namespace, which is declared on the spot if need be. */
function nameFor(element: XmlElement, scope: Scope, { name, written }: NonNullable<XmlChange['attribute']>): string {
  const [, namespace, local] = /^\{(.*)\}([^}]*)$/.exec(name) ?? []
  if (namespace === undefined || local === undefined) return written
  const known = [...scope].find(([prefix, uri]) => prefix !== '' && uri === namespace)
  if (known !== undefined) return `${known[0]}:${local}`
  let prefix = written.slice(0, written.indexOf(':'))
  for (let count = 1; scope.has(prefix); count++) prefix = `ns${count}`
  setAttribute(element, `xmlns:${prefix}`, namespace)
  return `${prefix}:${local}`
}

/** The XML of an element without the declarations that its new place has already; `xmlns=''` where it needs that there. */
function fitting(xml: string, scope: Scope): string {
  const element = parseXml(xml).root
  const inner = extendScope(new Map(), element)
  element.attributes = element.attributes.filter(
    ({ name }) => !name.startsWith('xmlns:') || scope.get(name.slice(6)) !== inner.get(name.slice(6)),
  )
  const own = element.attributes.find(({ name }) => name === 'xmlns')
  const outer = scope.get('') ?? ''
  if (own === undefined && outer !== '') setAttribute(element, 'xmlns', '')
  else if (own !== undefined && inner.get('') === outer) removeAttribute(element, 'xmlns')
  return formatXml(element)
}

function nameIn(scope: Scope, element: XmlElement): string {
  return expandName(extendScope(scope, element), element.name)
}

function findTarget(root: XmlElement, at: readonly number[]): Target {
  let target: Target = { element: root, parent: undefined, outer: TOP_SCOPE, scope: extendScope(TOP_SCOPE, root) }
  for (const index of at) {
    const element = childElements(target.element)[index]
    if (element === undefined) throw new TypeError(`no element ${at.join('/')}`)
    target = { element, parent: target.element, outer: target.scope, scope: extendScope(target.scope, element) }
  }
  return target
}

function withRoot(document: XmlDocument, xml: string): XmlDocument {
  const { root } = parseXml(xml)
  return { nodes: document.nodes.map((node) => (node === document.root ? root : node)), root }
}
