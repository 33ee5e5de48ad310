/**
 * Three-way merge of element trees whose reader rewrites what it is given, as libvirt does: the change from `before` to
 * `after` (both ours) is made in `current`, where `base` is how the reader had written `before` down. What changed between
 * `base` and `current` is somebody else's edit and stays; where both changed one thing there is a conflict.
 *
 * Elements are matched by a key within their parent, not by position, so that what the reader added (addresses,
 * controllers, defaults) is in nobody's way. Attributes are merged one by one; an element that holds text is merged as a
 * whole, because a number and its unit belong together. Comments and white space do not count. Pure.
 *
 * Source: formats 5.2. Test oracle: laws of merging as properties (no edit gives `after`, no change gives `current`).
 */
import { insertElement, removeAttribute, removeElement, setAttribute } from './edit.ts'
import { childElements, getAttribute, getText } from './find.ts'
import { formatXml, type XmlElement } from './tree.ts'

export interface MergeConflict {
  /** As in `devices/interface[02:…]/@type`. */
  readonly path: string
  /** `undefined` where the thing is not there. */
  readonly before: string | undefined
  readonly after: string | undefined
  readonly current: string | undefined
}

/** What to do where both sides changed one thing: report it, or take a side. */
export type Side = 'after' | 'current'

export interface MergeOptions {
  /** What tells elements of one name and parent apart, such as a MAC; `undefined` to count them. */
  readonly keyOf?: (element: XmlElement) => string | undefined
  /** Elements that are settled beforehand, by their path: always ours, or theirs wherever they changed it. */
  readonly sideOf?: (path: string, element: XmlElement) => Side | undefined
  /** For everything else. */
  readonly prefer?: Side | undefined
}

/** Changes `current` in place. Where there are conflicts and no preference, the other side's edit is left as it is. */
export function mergeElements(
  trees: {
    readonly before: XmlElement
    readonly after: XmlElement
    readonly base: XmlElement
    readonly current: XmlElement
  },
  options: MergeOptions = {},
): readonly MergeConflict[] {
  const merge = new Merge(options)
  merge.element('', trees.before, trees.after, trees.base, trees.current)
  return merge.conflicts
}

/** True where both say the same, whatever white space, comments, and the order of attributes and of unlike elements. */
export function isSameElement(a: XmlElement | undefined, b: XmlElement | undefined): boolean {
  return signature(a) === signature(b)
}

class Merge {
  readonly conflicts: MergeConflict[] = []
  readonly #options: MergeOptions

  constructor(options: MergeOptions) {
    this.#options = options
  }

  element(path: string, before: XmlElement, after: XmlElement, base: XmlElement, current: XmlElement): void {
    if (isSameElement(before, after)) return
    if (leafText(before) !== leafText(after)) {
      this.#leaf(path, before, after, base, current)
      return
    }
    this.#attributes(path, before, after, base, current)
    const keyed = [before, after, base, current].map((tree) => this.#keyed(tree))
    for (const key of new Set(keyed.slice(0, 2).flatMap((one) => [...one.keys()]))) {
      const inner = path === '' ? key : `${path}/${key}`
      const [o, n, b, c] = keyed.map((one) => one.get(key))
      if (!isSameElement(o, n)) this.#child(inner, current, { o, n, b, c })
    }
  }

  #child(
    path: string,
    parent: XmlElement,
    { o, n, b, c }: Readonly<Record<'o' | 'n' | 'b' | 'c', XmlElement | undefined>>,
  ): void {
    const shown = n ?? o
    const side = shown === undefined ? undefined : this.#options.sideOf?.(path, shown)
    if (side === 'after') replaceChild(parent, c, n)
    else if (o !== undefined && n !== undefined && b !== undefined && c !== undefined) this.element(path, o, n, b, c)
    else if (isSameElement(c, n)) return
    else if (isSameElement(b, c) && (n === undefined || c === undefined || o !== undefined)) replaceChild(parent, c, n)
    // The reader had added one of its own accord, and we now say what it should be like.
    else if (isSameElement(b, c) && n !== undefined && c !== undefined) overlay(c, n)
    else this.#settle(path, o, n, c, () => replaceChild(parent, c, n))
  }

  #leaf(path: string, before: XmlElement, after: XmlElement, base: XmlElement, current: XmlElement): void {
    const take = (): void => {
      current.attributes = after.attributes.map((attribute) => ({ ...attribute }))
      current.children = structuredClone(after.children)
    }
    if (isSameElement(base, current) || isSameElement(current, after)) take()
    else this.#settle(path, before, after, current, take)
  }

  #attributes(path: string, before: XmlElement, after: XmlElement, base: XmlElement, current: XmlElement): void {
    const names = new Set([...before.attributes, ...after.attributes].map(({ name }) => name))
    for (const name of names) {
      const [o, n, b, c] = [before, after, base, current].map((element) => getAttribute(element, name))
      if (o === n || c === n) continue
      const take = (): void => {
        if (n === undefined) removeAttribute(current, name)
        else setAttribute(current, name, n)
      }
      if (b === c) {
        take()
        continue
      }
      this.#decide({ path: `${path}/@${name}`, before: o, after: n, current: c }, this.#sideAt(path, after), () => {
        // What somebody added beside the value that goes belongs to that value.
        current.attributes = current.attributes.filter(
          (one) => hasAttribute(base, one.name) || hasAttribute(after, one.name),
        )
        take()
      })
    }
  }

  #settle(
    path: string,
    o: XmlElement | undefined,
    n: XmlElement | undefined,
    c: XmlElement | undefined,
    take: () => void,
  ): void {
    const shown = n ?? o ?? c
    const side = shown === undefined ? undefined : this.#sideAt(path, shown)
    this.#decide({ path, before: show(o), after: show(n), current: show(c) }, side, take)
  }

  #sideAt(path: string, element: XmlElement): Side | undefined {
    return this.#options.sideOf?.(path, element) ?? this.#options.prefer
  }

  #decide(conflict: MergeConflict, side: Side | undefined, take: () => void): void {
    if (side === 'after') take()
    else if (side === undefined) this.conflicts.push(conflict)
  }

  /** Children by name and key; those without a key are counted. */
  #keyed(element: XmlElement): ReadonlyMap<string, XmlElement> {
    const keyed = new Map<string, XmlElement>()
    for (const child of childElements(element)) {
      const own = this.#options.keyOf?.(child)
      let key = own === undefined ? child.name : `${child.name}[${own}]`
      for (let count = 2; keyed.has(key); count++) {
        key = own === undefined ? `${child.name}[${count}]` : `${child.name}[${own}][${count}]`
      }
      keyed.set(key, child)
    }
    return keyed
  }
}

function replaceChild(parent: XmlElement, old: XmlElement | undefined, next: XmlElement | undefined): void {
  if (next !== undefined) {
    const siblings = childElements(parent).filter(({ name }) => name === next.name)
    const after = old ?? siblings.at(-1)
    insertElement(parent, formatXml(next), after === undefined ? {} : { after })
  }
  if (old !== undefined) removeElement(parent, old)
}

/** Puts what `from` says into `into` and leaves the rest. */
function overlay(into: XmlElement, from: XmlElement): void {
  for (const { name } of from.attributes) setAttribute(into, name, getAttribute(from, name) ?? '')
  if (isLeaf(from) && getText(from).trim() !== '') into.children = structuredClone(from.children)
  const counts = new Map<string, number>()
  for (const child of childElements(from)) {
    const nth = counts.get(child.name) ?? 0
    counts.set(child.name, nth + 1)
    const same = childElements(into).filter(({ name }) => name === child.name)[nth]
    if (same === undefined) insertElement(into, formatXml(child))
    else overlay(same, child)
  }
}

function hasAttribute(element: XmlElement, name: string): boolean {
  return element.attributes.some((attribute) => attribute.name === name)
}

function leafText(element: XmlElement): string {
  return isLeaf(element) ? getText(element).trim() : ''
}

function isLeaf(element: XmlElement): boolean {
  return childElements(element).length === 0
}

function show(element: XmlElement | undefined): string | undefined {
  return element === undefined ? undefined : formatXml(element).replaceAll(/\s+/g, ' ').slice(0, 200)
}

function signature(element: XmlElement | undefined): string {
  if (element === undefined) return ''
  const attributes = element.attributes
    .map(({ name }) => JSON.stringify([name, getAttribute(element, name)]))
    .toSorted()
    .join()
  const children = childElements(element).toSorted((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)))
  const content = children.length === 0 ? JSON.stringify(getText(element).trim()) : children.map(signature).join()
  return `<${element.name} ${attributes}>${content}</>`
}
