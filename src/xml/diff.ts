/**
 * What changes from one document to another, by meaning: layout, comments, quotes, the order of attributes, the spelling
 * of characters and the prefix of a namespace do not count. Repeated elements are matched by what libvirt tells them apart
 * by, else by what they have in common; their order counts where it means something. `applyChanges` makes the changes.
 * Time grows with the size of the documents; only groups of like elements without identity are compared pair by pair, up
 * to a bound. Test oracles: equal canonical XML has no difference; applied changes leave none.
 */
import { isKnownByIdentity } from './identity.ts'
import { escapeXml } from './lexical.ts'
import { groupByName, isDeclaration, isGroupOrdered, type Meaning, Meanings } from './meaning.ts'
import { formatXml, type XmlAttribute, type XmlDocument, type XmlElement } from './tree.ts'

export interface XmlChange {
  readonly kind: 'added' | 'removed' | 'changed' | 'moved'
  readonly node: 'element' | 'attribute' | 'text'
  /** For people: `devices/interface[52:54:00:00:00:01]/link/@state`; `text()` ends that of a text. */
  readonly path: string
  /** The value, the text, the XML of the element, or its place among its like, from 1. */
  readonly before: string | undefined
  readonly after: string | undefined
  /** Where it is in the old document: numbers of child elements from the root downward; of an added element its parent. */
  readonly at: readonly number[]
  /** Of an added or moved element: its place among its like in the new document, from 0. */
  readonly index?: number
  /** Of an attribute: `{namespace}local`, or `local` in none, and as the new document writes it. */
  readonly attribute?: { readonly name: string; readonly written: string }
}

/** Pairs of elements without identity that are compared; where there are more they are matched in order. */
const MAXIMUM_PAIRS = 10_000

/** Empty where both say the same. */
export function diffXml(before: XmlDocument, after: XmlDocument): readonly XmlChange[] {
  const meanings = new Meanings()
  const [a, b] = [meanings.read(before.root), meanings.read(after.root)]
  const changes: XmlChange[] = []
  if (a.name !== b.name) changes.push(whole(a, b, a.element.name, []))
  else compare(a, b, '', [], changes)
  return changes
}

function compare(a: Meaning, b: Meaning, path: string, at: readonly number[], changes: XmlChange[]): void {
  if (a.number === b.number) return
  const leavesDiffer = a.text !== b.text && (a.children.length > 0 || b.children.length > 0)
  if (a.isMixed || b.isMixed || leavesDiffer) {
    changes.push(whole(a, b, path === '' ? a.element.name : path, at))
    return
  }
  const inner = (step: string): string => (path === '' ? step : `${path}/${step}`)
  for (const name of new Set([...a.attributes.keys(), ...b.attributes.keys()])) {
    const [old, next] = [a.attributes.get(name), b.attributes.get(name)]
    if (old?.value === next?.value) continue
    const kind = old === undefined ? 'added' : next === undefined ? 'removed' : 'changed'
    const written = next?.written ?? old?.written ?? name
    changes.push({
      kind,
      node: 'attribute',
      path: inner(`@${old?.written ?? written}`),
      before: old?.value,
      after: next?.value,
      at,
      attribute: { name, written },
    })
  }
  if (a.text !== b.text) {
    const kind = a.text === '' ? 'added' : b.text === '' ? 'removed' : 'changed'
    changes.push({ kind, node: 'text', path: inner('text()'), before: a.text, after: b.text, at })
  }
  const places = placesOf(a.children)
  const [old, next] = [groupByName(a.children), groupByName(b.children)]
  for (const name of new Set([...old.keys(), ...next.keys()])) {
    compareGroup(name, old.get(name) ?? [], next.get(name) ?? [])
  }

  function compareGroup(name: string, olds: readonly Meaning[], nexts: readonly Meaning[]): void {
    const pairs = matchGroup(a, olds, nexts)
    const isOrdered = isGroupOrdered(name, olds) || isGroupOrdered(name, nexts)
    const still = isOrdered
      ? longestRise(
          olds.flatMap((one) => pairs.get(one) ?? []),
          nexts,
        )
      : undefined
    const step = stepsOf(olds)
    const [oldPlaces, newPlaces] = [placesOf(olds), placesOf(nexts)]
    for (const one of olds) {
      const other = pairs.get(one)
      const place = [...at, places.get(one) ?? -1]
      const here = inner(step(one))
      if (other === undefined) {
        changes.push({
          kind: 'removed',
          node: 'element',
          path: here,
          before: standalone(one),
          after: undefined,
          at: place,
        })
        continue
      }
      compare(one, other, here, place, changes)
      if (still === undefined || still.has(other)) continue
      const [from, to] = [oldPlaces.get(one) ?? 0, newPlaces.get(other) ?? 0]
      changes.push({
        kind: 'moved',
        node: 'element',
        path: here,
        before: String(from + 1),
        after: String(to + 1),
        at: place,
        index: to,
      })
    }
    const matched = new Set(pairs.values())
    const newStep = stepsOf(nexts)
    for (const [index, one] of nexts.entries()) {
      if (matched.has(one)) continue
      const here = inner(newStep(one))
      changes.push({ kind: 'added', node: 'element', path: here, before: undefined, after: standalone(one), at, index })
    }
  }
}

function whole(a: Meaning, b: Meaning, path: string, at: readonly number[]): XmlChange {
  return { kind: 'changed', node: 'element', path, before: standalone(a), after: standalone(b), at }
}

/** Elements of one name: equal ones first, then those of one identity, then by what they share. */
function matchGroup(
  parent: Meaning,
  olds: readonly Meaning[],
  nexts: readonly Meaning[],
): ReadonlyMap<Meaning, Meaning> {
  const pairs = new Map<Meaning, Meaning>()
  const taken = new Set<Meaning>()
  const take = (old: Meaning, next: Meaning): void => {
    pairs.set(old, next)
    taken.add(next)
  }
  const matchBy = (key: (one: Meaning) => number | string | undefined): void => {
    const queues = Map.groupBy(nexts.filter((one) => !taken.has(one)).toReversed(), key)
    for (const old of olds) {
      if (pairs.has(old) || key(old) === undefined) continue
      const next = queues.get(key(old))?.pop()
      if (next !== undefined) take(old, next)
    }
  }
  // Equal beginnings and ends first, so that one of several equal elements is the one at its place.
  for (let index = 0; index < olds.length && olds[index]?.number === nexts[index]?.number; index++) {
    const [old, next] = [olds[index], nexts[index]]
    if (old !== undefined && next !== undefined) take(old, next)
  }
  for (let index = -1; -index <= olds.length && olds.at(index)?.number === nexts.at(index)?.number; index--) {
    const [old, next] = [olds.at(index), nexts.at(index)]
    if (old === undefined || next === undefined || pairs.has(old) || taken.has(next)) break
    take(old, next)
  }
  matchBy(({ number }) => number)
  matchBy(({ identity }) => identity)
  const restOld = olds.filter((one) => !pairs.has(one))
  const restNext = nexts.filter((one) => !taken.has(one))
  const isOnly = olds.length === 1 && nexts.length === 1
  const mayMatch = (old: Meaning, next: Meaning): boolean =>
    old.identity === undefined ||
    next.identity === undefined ||
    (isOnly && !isKnownByIdentity(old.element, parent.element))
  if (restOld.length * restNext.length > MAXIMUM_PAIRS || (restOld.length === 1 && restNext.length === 1)) {
    for (const [index, old] of restOld.entries()) {
      const next = restNext[index]
      if (next !== undefined && mayMatch(old, next)) take(old, next)
    }
    return pairs
  }
  const candidates = restOld.flatMap((old, i) =>
    restNext.map((next, j) => ({
      old,
      next,
      shared: mayMatch(old, next) ? sharedPart(old, next) : 0,
      apart: Math.abs(i - j),
    })),
  )
  for (const { old, next, shared } of candidates.toSorted((x, y) => y.shared - x.shared || x.apart - y.apart)) {
    if (shared > 0 && !pairs.has(old) && !taken.has(next)) take(old, next)
  }
  return pairs
}

/** From 0 to 1: attributes, children and text in common, of all that both have; children of one name count half. */
function sharedPart(a: Meaning, b: Meaning): number {
  let shared = 0
  for (const [name, { value }] of a.attributes) if (b.attributes.get(name)?.value === value) shared += 2
  const numbers = new Set(b.children.map(({ number }) => number))
  const names = new Set(b.children.map(({ name }) => name))
  for (const { number, name } of a.children) shared += numbers.has(number) ? 2 : names.has(name) ? 1 : 0
  if (a.text !== '' && a.text === b.text) shared += 2
  const all = a.attributes.size + b.attributes.size + a.children.length + b.children.length
  return all === 0 ? 0 : shared / all
}

/** Those of `sequence` that keep their order in `nexts`: the longest such choice. The others have moved. */
function longestRise(sequence: readonly Meaning[], nexts: readonly Meaning[]): ReadonlySet<Meaning> {
  const places = placesOf(nexts)
  /** The last element of the best choice of each length, and what comes before each. */
  const ends: Meaning[] = []
  const former = new Map<Meaning, Meaning | undefined>()
  const placeOf = (one: Meaning | undefined): number => (one === undefined ? -1 : (places.get(one) ?? -1))
  for (const one of sequence) {
    let [low, high] = [0, ends.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (placeOf(ends[middle]) < placeOf(one)) low = middle + 1
      else high = middle
    }
    former.set(one, ends[low - 1])
    ends[low] = one
  }
  const kept = new Set<Meaning>()
  for (let one = ends.at(-1); one !== undefined; one = former.get(one)) kept.add(one)
  return kept
}

function placesOf(group: readonly Meaning[]): ReadonlyMap<Meaning, number> {
  return new Map(group.map((one, index) => [one, index]))
}

/** How an element is called among its like: by its identity, else by its number where there are several. */
function stepsOf(group: readonly Meaning[]): (one: Meaning) => string {
  const places = placesOf(group)
  return (one) => {
    if (one.identity !== undefined) return `${one.element.name}[${one.identity}]`
    return group.length > 1 ? `${one.element.name}[${(places.get(one) ?? 0) + 1}]` : one.element.name
  }
}

/** The XML of an element with the declarations that it takes from around it. */
function standalone({ element, scope }: Meaning): string {
  const needed = new Map<string, string>()
  const visit = (one: XmlElement, declared: ReadonlySet<string>): void => {
    const own = one.attributes.filter(({ name }) => isDeclaration(name))
    const known = own.length === 0 ? declared : new Set([...declared, ...own.map(({ name }) => name.slice(6))])
    const names = [one.name, ...one.attributes.map(({ name }) => name).filter((name) => /^(?!xmlns:).*:/.test(name))]
    for (const name of names) {
      const prefix = name.includes(':') ? name.slice(0, name.indexOf(':')) : ''
      const namespace = scope.get(prefix)
      if (!known.has(prefix) && prefix !== 'xml' && namespace) needed.set(prefix, namespace)
    }
    for (const child of one.children) if (child.type === 'element') visit(child, known)
  }
  visit(element, new Set())
  const declarations = [...needed].map(
    ([prefix, namespace]): XmlAttribute => ({
      before: ' ',
      name: prefix === '' ? 'xmlns' : `xmlns:${prefix}`,
      equals: '=',
      quote: "'",
      raw: escapeXml(namespace),
    }),
  )
  return formatXml({ ...element, attributes: [...element.attributes, ...declarations] })
}
