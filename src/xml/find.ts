/**
 * Finding elements by a simple path: names from the given element downward, `*` for any, each step with conditions:
 * `devices/interface[mac/@address='52:54:00:00:00:01'][@type='network']/link`. Names are compared as written, prefix
 * included; for a namespace whatever its prefix use `findInNamespace`. Paths are the caller's own, never untrusted text:
 * a malformed path is a `TypeError`.
 */
import { decodeAttribute, decodeReferences, normaliseLineEnds } from './lexical.ts'
import type { XmlElement } from './tree.ts'

interface Condition {
  readonly path: readonly string[]
  readonly attribute: string | undefined
  readonly value: string | undefined
}

const STEP = /(\*|[\w.:-]+)((?:\[[^\]]*\])*)(\/|$)/y
const CONDITION = /\[((?:[\w.:-]+\/)*)(?:@([\w.:-]+)|([\w.:-]+))(?:=(?:'([^']*)'|"([^"]*)"))?\]/y

/** All elements at the path below `from`, in document order. */
export function findElements(from: XmlElement, path: string): XmlElement[] {
  let found = [from]
  for (let position = 0; position < path.length; ) {
    STEP.lastIndex = position
    const step = STEP.exec(path)
    if (step === null) throw new TypeError(`Not a path of elements: ${JSON.stringify(path)}`)
    position = STEP.lastIndex
    const conditions = parseConditions(step[2] ?? '')
    found = found
      .flatMap((element) => childElements(element))
      .filter((element) => (step[1] === '*' || element.name === step[1]) && conditions.every((c) => holds(element, c)))
  }
  return found
}

/** The first element at the path; undefined where there is none. */
export function findElement(from: XmlElement, path: string): XmlElement | undefined {
  return findElements(from, path)[0]
}

export function childElements(element: XmlElement): XmlElement[] {
  return element.children.filter((child) => child.type === 'element')
}

/** Value of an attribute with its references read; undefined where it is absent. */
export function getAttribute(element: XmlElement, name: string): string | undefined {
  const attribute = element.attributes.find((candidate) => candidate.name === name)
  return attribute === undefined ? undefined : decodeAttribute(attribute.raw)
}

/** Character data directly inside the element: text with references read, and CDATA. */
export function getText(element: XmlElement): string {
  let text = ''
  for (const node of element.children) {
    if (node.type === 'text') text += decodeReferences(node.raw)
    else if (node.type === 'cdata') text += normaliseLineEnds(node.raw.slice(9, -3))
  }
  return text
}

/** Elements of a namespace and local name anywhere below (or at) `from`, whatever prefix they use. */
export function findInNamespace(from: XmlElement, uri: string, localName: string): XmlElement[] {
  const found: XmlElement[] = []
  const visit = (element: XmlElement, outer: ReadonlyMap<string, string>): void => {
    const scope = new Map(outer)
    for (const { name, raw } of element.attributes) {
      if (name === 'xmlns') scope.set('', decodeAttribute(raw))
      else if (name.startsWith('xmlns:')) scope.set(name.slice(6), decodeAttribute(raw))
    }
    const colon = element.name.indexOf(':')
    const prefix = colon === -1 ? '' : element.name.slice(0, colon)
    if (element.name.slice(colon + 1) === localName && scope.get(prefix) === uri) found.push(element)
    for (const child of childElements(element)) visit(child, scope)
  }
  visit(from, new Map())
  return found
}

function parseConditions(text: string): Condition[] {
  const conditions: Condition[] = []
  for (let position = 0; position < text.length; position = CONDITION.lastIndex) {
    CONDITION.lastIndex = position
    const match = CONDITION.exec(text)
    if (match === null) throw new TypeError(`Not a condition: ${JSON.stringify(text)}`)
    const path = (match[1] ?? '').split('/').filter((step) => step !== '')
    conditions.push({
      path: match[3] === undefined ? path : [...path, match[3]],
      attribute: match[2],
      value: match[4] ?? match[5],
    })
  }
  return conditions
}

function holds(element: XmlElement, { path, attribute, value }: Condition): boolean {
  const ends = path.length === 0 ? [element] : findElements(element, path.join('/'))
  return ends.some((end) => {
    const actual = attribute === undefined ? getText(end) : getAttribute(end, attribute)
    return actual !== undefined && (value === undefined || actual === value)
  })
}
