/**
 * Typed views: a document read and edited by the names of its elements and attributes, as in
 * `viewDocument(document, 'domain').devices?.disk[0]?.source?.file`. A view holds nothing of its own; reading looks at the
 * preserved tree, and an assignment changes the one attribute it names. The types are generated (`view-types.ts`) and say
 * since when libvirt has each. Values are the text that is written.
 *
 * Where an element has an attribute and a child of one name, the child has it and the attribute is `@name`.
 */
import { VmpkgError } from '../../errors.ts'
import { insertElement, removeAttribute, removeElement, setAttribute, setText } from '../edit.ts'
import { childElements, getAttribute, getText } from '../find.ts'
import type { XmlDocument, XmlElement } from '../tree.ts'
import { elementType, factName, namespaceOf, rootType } from './facts.ts'
import { declaredBy, type Namespaces, NO_NAMESPACES, resolveElementName } from './namespaces.ts'
import type { DocumentViews } from './view-types.ts'

/** What every view has; names that XML cannot have. */
export interface View {
  /** The element itself, for all that no schema knows. */
  readonly $element: XmlElement
  /**
   * Adds a child where libvirt would write it and gives its view.
   * @throws {VmpkgError} `XML_INVALID` where only one may stand and there is one
   */
  readonly $insert: <Name extends ChildName<this>>(name: Name) => ChildView<this[Name]>
  /** The child, added where there is none. */
  readonly $ensure: <Name extends ChildName<this>>(name: Name) => ChildView<this[Name]>
  /** Takes the element out of the document; the root stays. */
  readonly $remove: () => void
}

/** Names of the children that a view knows. */
type ChildName<V> = {
  [Name in keyof V]-?: Name extends `$${string}`
    ? never
    : NonNullable<V[Name]> extends View | readonly View[]
      ? Name
      : never
}[keyof V]

/** The view of one child, whether it may stand once or more often. */
type ChildView<Child> = NonNullable<Child> extends readonly (infer One)[] ? One : NonNullable<Child>

/**
 * @param root what the document must be
 * @throws {VmpkgError} `XML_INVALID` for another root element
 */
export function viewDocument<Root extends keyof DocumentViews>(document: XmlDocument, root: Root): DocumentViews[Root] {
  const { root: element } = document
  const type = rootType(root)
  if (element.name !== root || type === undefined) {
    throw new VmpkgError('XML_INVALID', `Not a ${root} document: its root element is <${element.name.slice(0, 80)}>`, {
      hint: `Give the XML of a ${root}.`,
    })
  }
  return makeView(new Place(element, type, NO_NAMESPACES, undefined)) as DocumentViews[Root]
}

/** An element with what the facts say of it. */
class Place {
  readonly element: XmlElement
  readonly type: number
  readonly parent: Place | undefined
  readonly #outer: Namespaces

  constructor(element: XmlElement, type: number, outer: Namespaces, parent: Place | undefined) {
    this.element = element
    this.type = type
    this.parent = parent
    this.#outer = outer
  }

  get namespaces(): Namespaces {
    return declaredBy(this.element, this.#outer)
  }

  children(name: string, type: number): readonly Place[] {
    const { namespaces } = this
    return childElements(this.element)
      .filter((child) => factName(resolveElementName(child.name, declaredBy(child, namespaces))) === name)
      .map((child) => new Place(child, type, namespaces, this))
  }
}

const handler: ProxyHandler<{ place: Place }> = {
  get: ({ place }, name) => (typeof name === 'string' ? read(place, name) : undefined),
  set: ({ place }, name, value: unknown) => typeof name === 'string' && assign(place, name, value),
  has: ({ place }, name) => typeof name === 'string' && isKnown(place, name),
  deleteProperty: ({ place }, name) => typeof name === 'string' && assign(place, name, undefined),
  ownKeys: ({ place }) => {
    const { attributes, children } = elementType(place.type)
    const names = [...attributes.keys()].map((name) => (children.has(name) ? `@${name}` : name))
    return [...names, ...children.keys()].filter((name) => name !== '*')
  },
  getOwnPropertyDescriptor: ({ place }, name) =>
    typeof name === 'string' && isKnown(place, name)
      ? { configurable: true, enumerable: true, writable: true, value: read(place, name) }
      : undefined,
}

function makeView(place: Place): View {
  return new Proxy({ place }, handler) as unknown as View
}

function read(place: Place, name: string): unknown {
  const { element } = place
  switch (name) {
    case '$element':
      return element
    case '$text':
      return getText(element)
    case '$insert':
      return (child: string) => makeView(insert(place, child))
    case '$ensure':
      return (child: string) => makeView(find(place, child) ?? insert(place, child))
    case '$remove':
      return () => {
        if (place.parent !== undefined) removeElement(place.parent.element, element)
      }
    default:
  }
  const { attributes, children } = elementType(place.type)
  const child = children.get(name)
  if (child !== undefined) {
    const found = place.children(name, child.type)
    return child.many ? found.map(makeView) : found[0] && makeView(found[0])
  }
  const attribute = attributeName(name)
  return attributes.has(attribute) ? getAttribute(element, attribute) : undefined
}

function assign(place: Place, name: string, value: unknown): boolean {
  const { attributes, children, text } = elementType(place.type)
  if (name === '$text' && text !== undefined && typeof value === 'string') {
    setText(place.element, value)
    return true
  }
  const attribute = attributeName(name)
  if (children.has(name) || !attributes.has(attribute)) return false
  if (value === undefined) removeAttribute(place.element, attribute)
  else if (typeof value === 'string') setAttribute(place.element, attribute, value)
  else return false
  return true
}

function isKnown(place: Place, name: string): boolean {
  const { attributes, children } = elementType(place.type)
  return name !== '*' && (children.has(name) || attributes.has(attributeName(name)))
}

function attributeName(name: string): string {
  return name.startsWith('@') ? name.slice(1) : name
}

function find(place: Place, name: string): Place | undefined {
  const child = elementType(place.type).children.get(name)
  return child && place.children(name, child.type)[0]
}

function insert(place: Place, name: string): Place {
  const { children, name: typeName } = elementType(place.type)
  const child = children.get(name)
  if (child === undefined) throw new TypeError(`${typeName} has no child ${JSON.stringify(name)}`)
  if (!child.many && find(place, name) !== undefined) {
    throw new VmpkgError(
      'XML_INVALID',
      `<${place.element.name}> has a <${name}> already, and only one may stand there`,
      {
        hint: 'Change the one that is there.',
      },
    )
  }
  const { namespaces } = place
  const orderOf = (element: XmlElement): number =>
    children.get(factName(resolveElementName(element.name, declaredBy(element, namespaces))))?.order ?? -1
  const present = childElements(place.element)
  const after = present.findLast((element) => orderOf(element) <= child.order && orderOf(element) !== -1)
  const before = present.find((element) => orderOf(element) > child.order)
  const element = insertElement(
    place.element,
    fragmentOf(name, namespaces),
    after === undefined ? (before === undefined ? {} : { before }) : { after },
  )
  return new Place(element, child.type, namespaces, place)
}

/** An empty element; of another namespace with the prefix that is in scope, or with its declaration. */
function fragmentOf(name: string, namespaces: Namespaces): string {
  const namespace = namespaceOf(name)
  if (namespace === undefined) return `<${name}/>`
  const local = name.slice(namespace.prefix.length + 1)
  const prefix = [...namespaces].find(([known, uri]) => uri === namespace.uri && known !== '')?.[0]
  // libvirt wants its own namespaces declared where they are used or above.
  return prefix === undefined ? `<${name} xmlns:${namespace.prefix}="${namespace.uri}"/>` : `<${prefix}:${local}/>`
}
