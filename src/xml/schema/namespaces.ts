/** Namespaces in scope at an element, and the qualified names that stand for. Source: Namespaces in XML 1.0. */
import { decodeAttribute } from '../lexical.ts'
import type { XmlElement } from '../tree.ts'
import type { XmlName } from './name-class.ts'

/** URI by prefix; the default namespace under the empty one. */
export type Namespaces = ReadonlyMap<string, string>

export const NO_NAMESPACES: Namespaces = new Map([['xml', 'http://www.w3.org/XML/1998/namespace']])

/** What is in scope inside the element. */
export function declaredBy(element: XmlElement, outer: Namespaces): Namespaces {
  let scope: Map<string, string> | undefined
  for (const { name, raw } of element.attributes) {
    if (name === 'xmlns') (scope ??= new Map(outer)).set('', decodeAttribute(raw))
    else if (name.startsWith('xmlns:')) (scope ??= new Map(outer)).set(name.slice(6), decodeAttribute(raw))
  }
  return scope ?? outer
}

export function isDeclaration(attribute: string): boolean {
  return attribute === 'xmlns' || attribute.startsWith('xmlns:')
}

export function resolveElementName(name: string, namespaces: Namespaces): XmlName {
  return name.includes(':') ? resolveAttributeName(name, namespaces) : { uri: namespaces.get('') ?? '', local: name }
}

/** The default namespace is not for attributes. An undeclared prefix is in no namespace that a schema could mean. */
export function resolveAttributeName(name: string, namespaces: Namespaces): XmlName {
  const colon = name.indexOf(':')
  const uri = colon === -1 ? undefined : namespaces.get(name.slice(0, colon))
  return uri === undefined ? { uri: '', local: name } : { uri, local: name.slice(colon + 1) }
}
