/**
 * Random typed edits of real documents, each judged twice: every character outside the addressed node is the one that
 * was there, and libxml2 sees the edit and nothing else. For the second, xmllint writes both texts as canonical XML, the
 * edit is made on a plain model of the first, and the model has to be the second. Cases follow from seed and number.
 */
import assert from 'node:assert/strict'
import {
  insertElement,
  moveElement,
  removeAttribute,
  removeElement,
  replaceElement,
  setAttribute,
  setText,
} from '../../src/xml/edit.ts'
import { childElements } from '../../src/xml/find.ts'
import { parseXml } from '../../src/xml/parse.ts'
import { formatXml, type XmlAttribute, type XmlDocument, type XmlElement, type XmlNode } from '../../src/xml/tree.ts'
import { Random } from './random.ts'
import type { CorpusFile } from './xml-corpus.ts'
import {
  attributesOf,
  canonicalise,
  childrenOf,
  escapeCanonical,
  insertModel,
  type Model,
  modelAt,
  readModel,
  removeModel,
  replaceModel,
  tidyModel,
} from './xml-model.ts'

/** Edits by kind. */
export type EditFigures = Readonly<Record<string, number>>

const BATCH = 250
const VALUES = [
  '',
  'a',
  ' two  blanks ',
  `"both" 'quotes'`,
  'a]]>b',
  '<&>',
  'lines\n\tand\r\ntabs',
  '&amp;',
  'ü€\u{1F600}',
]
const FRAGMENTS = [
  ['<new/>', [{ new: [] }]],
  ["<new a='1'>\n  <b/>\n  <c>x</c>\n</new>", [{ new: [{ b: [] }, { c: [{ '#text': 'x' }] }], ':@': { a: '1' } }]],
  [
    "<n:new xmlns:n='urn:new'><!--c--></n:new>",
    [{ 'n:new': [{ '#comment': [{ '#text': 'c' }] }], ':@': { 'xmlns:n': 'urn:new' } }],
  ],
] as const

interface Case {
  readonly name: string
  readonly kind: string
  readonly before: string
  readonly after: string
  /** Makes the same edit on the model of the old document. */
  readonly apply: (model: Model[]) => void
  /** White space between elements is layout, which these edits may write. */
  readonly isLayoutFree: boolean
}

/** @throws {AssertionError} for an edit that changed more than it names, or something else */
export async function checkEdits(
  corpus: readonly CorpusFile[],
  { seed, from, cases }: { readonly seed: number; readonly from: number; readonly cases: number },
): Promise<EditFigures> {
  const figures: Record<string, number> = {}
  for (let at = from; at < from + cases; at += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, from + cases - at) }, (_, index) =>
      makeCase(corpus, seed, at + index),
    )
    const canonical = await canonicalise(batch.flatMap(({ before, after }) => [before, after]))
    for (const [index, one] of batch.entries()) {
      const [before, after] = canonical.slice(2 * index, 2 * index + 2).map((text) => readModel(text))
      assert.ok(before && after)
      one.apply(before)
      assert.deepEqual(
        tidyModel(before, one.isLayoutFree),
        tidyModel(after, one.isLayoutFree),
        `${one.kind} in ${one.name}\n${one.after}`,
      )
      figures[one.kind] = (figures[one.kind] ?? 0) + 1
    }
  }
  return figures
}

function makeCase(corpus: readonly CorpusFile[], seed: number, number: number): Case {
  const random = new Random(seed * 1_000_003 + number)
  const { name, bytes } = random.pick(corpus)
  const before = bytes.toString('utf8')
  const document = parseXml(before)
  const { kind, apply, isLayoutFree, check } = edit(document, random)
  const after = formatXml(document)
  const where = `case ${number} of seed ${seed}: ${kind} in ${name}`
  assert.equal(formatXml(parseXml(after)), after, where)
  check(before, after, where)
  return { name: where, kind, before, after, apply, isLayoutFree }
}

type Edit = Pick<Case, 'kind' | 'apply' | 'isLayoutFree'> & {
  readonly check: (before: string, after: string, where: string) => void
}

function edit(document: XmlDocument, random: Random): Edit {
  const all = elementsOf(document.root)
  const element = random.pick(all)
  const span = spanOf(document, element)
  const path = pathOf(document.root, element)
  const value = random.pick(VALUES)
  const at = (models: Model[]): Model => modelAt(models, path)
  const withParent = all.filter((one) => one !== document.root)
  switch (random.below(8)) {
    case 0: {
      const attributes = element.attributes.filter(({ name }) => !name.startsWith('xmlns'))
      if (attributes.length === 0) break
      const { name } = random.pick(attributes)
      const [start, end] = attributeSpan(element, span, name)
      setAttribute(element, name, value)
      return {
        kind: 'attribute set',
        isLayoutFree: false,
        apply: (models) => void (attributesOf(at(models))[name] = escapeCanonical(value, 'attribute')),
        check: isWindow(start + name.length, end - 1),
      }
    }
    case 1: {
      const end = span.start + 1 + element.name.length + lengthOf(element.attributes)
      setAttribute(element, 'new', value)
      return {
        kind: 'attribute added',
        isLayoutFree: false,
        apply: (models) => void (attributesOf(at(models))['new'] = escapeCanonical(value, 'attribute')),
        check: isWindow(end, end),
      }
    }
    case 2: {
      const attributes = element.attributes.filter(({ name }) => !name.startsWith('xmlns'))
      if (attributes.length === 0) break
      const { name } = random.pick(attributes)
      const [start, end] = attributeSpan(element, span, name)
      removeAttribute(element, name)
      return {
        kind: 'attribute removed',
        isLayoutFree: false,
        apply: (models) => void delete attributesOf(at(models))[name],
        check: isWindow(start, end),
      }
    }
    case 3: {
      const leaf = random.pick(all.filter((one) => childElements(one).length === 0))
      const leafPath = pathOf(document.root, leaf)
      const { contentStart, contentEnd } = spanOf(document, leaf)
      setText(leaf, value)
      return {
        kind: 'text set',
        isLayoutFree: false,
        apply: (models) => {
          const children = childrenOf(modelAt(models, leafPath))
          const first = children.findIndex((child) => '#text' in child)
          const kept = children.filter((child) => !('#text' in child))
          kept.splice(
            first === -1 ? 0 : first,
            0,
            ...(value === '' ? [] : [{ '#text': escapeCanonical(value, 'text') }]),
          )
          children.splice(0, children.length, ...kept)
        },
        check: isWindow(contentStart, contentEnd),
      }
    }
    case 4: {
      const [fragment, model] = random.pick(FRAGMENTS)
      const siblings = childElements(element)
      const index = random.below(siblings.length + 1)
      const neighbour = siblings[index]
      const former = siblings[index - 1]
      const place = neighbour !== undefined ? { before: neighbour } : former === undefined ? {} : { after: former }
      insertElement(element, fragment, random.chance(0.5) ? place : { ...place, within: document })
      return {
        kind: 'element inserted',
        isLayoutFree: true,
        apply: (models) => insertModel(at(models), index, structuredClone(model[0])),
        check(before, after, where) {
          isWindow(span.contentStart, span.contentEnd)(before, after, where)
          const [start, end] = commonEnds(before, after)
          if (siblings.length > 0) assert.ok(start + end >= before.length, `${where} is more than an insertion`)
        },
      }
    }
    case 5: {
      if (withParent.length === 0) break
      const child = random.pick(withParent)
      const childPath = pathOf(document.root, child)
      const parent = parentOf(document.root, child)
      const { contentStart, contentEnd } = spanOf(document, parent)
      const { start, end } = spanOf(document, child)
      removeElement(parent, child)
      const isEmptied = parent.children.length === 0
      return {
        kind: 'element removed',
        isLayoutFree: true,
        apply: (models) => removeModel(modelAt(models, childPath.slice(0, -1)), childPath.at(-1) ?? 0),
        check(before, after, where) {
          const layout = /[ \t\r\n]*$/.exec(before.slice(contentStart, start))?.[0] ?? ''
          if (isEmptied) isWindow(contentStart, contentEnd)(before, after, where)
          else isWindow(start - layout.length, end)(before, after, where)
        },
      }
    }
    case 6: {
      if (withParent.length === 0) break
      const [fragment, model] = random.pick(FRAGMENTS)
      const child = random.pick(withParent)
      const childPath = pathOf(document.root, child)
      const { start, end } = spanOf(document, child)
      replaceElement(parentOf(document.root, child), child, fragment)
      return {
        kind: 'element replaced',
        isLayoutFree: true,
        apply: (models) =>
          replaceModel(modelAt(models, childPath.slice(0, -1)), childPath.at(-1) ?? 0, structuredClone(model[0])),
        check: isWindow(start, end),
      }
    }
    default: {
      if (withParent.length === 0) break
      const child = random.pick(withParent)
      if (!elementsOf(child).every((inner) => isPlain(inner))) break
      const from = pathOf(document.root, child)
      const inside = new Set(elementsOf(child))
      const targets = all.filter((one) => !inside.has(one) && isPlain(one))
      if (targets.length === 0) break
      const target = random.pick(targets)
      const to = pathOf(document.root, target)
      const parent = parentOf(document.root, child)
      const siblings = childElements(target).filter((one) => one !== child)
      const neighbour = siblings.length === 0 ? undefined : random.pick(siblings)
      const index = neighbour === undefined ? 0 : siblings.indexOf(neighbour)
      const tags = all.filter((one) => !inside.has(one)).map(startTag)
      moveElement(parent, child, { parent: target, within: document, ...(neighbour && { before: neighbour }) })
      return {
        kind: 'element moved',
        isLayoutFree: true,
        apply(models) {
          const model = modelAt(models, from)
          const newParent = modelAt(models, to)
          removeModel(modelAt(models, from.slice(0, -1)), from.at(-1) ?? 0)
          insertModel(newParent, index, model)
        },
        check(_before, after, where) {
          const again = parseXml(after).root
          const moved = new Set(elementsOf(elementAt(again, pathOf(document.root, child))))
          assert.deepEqual(
            elementsOf(again)
              .filter((one) => !moved.has(one))
              .map(startTag),
            tags,
            where,
          )
        },
      }
    }
  }
  return edit(document, random)
}

function elementsOf(element: XmlElement): XmlElement[] {
  return [element, ...childElements(element).flatMap((child) => elementsOf(child))]
}

function isPlain(element: XmlElement): boolean {
  return !element.name.includes(':') && element.attributes.every(({ name }) => !/^xmlns|:/.test(name))
}

function startTag(element: XmlElement): string {
  return formatXml({ ...element, children: [], selfClosing: true })
}

/** Numbers of elements among their sibling elements, from the root's children downward. */
function pathOf(root: XmlElement, wanted: XmlElement): readonly number[] {
  const find = (element: XmlElement): number[] | undefined => {
    if (element === wanted) return []
    for (const [index, child] of childElements(element).entries()) {
      const rest = find(child)
      if (rest !== undefined) return [index, ...rest]
    }
    return undefined
  }
  const path = find(root)
  assert.ok(path)
  return path
}

function elementAt(root: XmlElement, path: readonly number[]): XmlElement {
  let element: XmlElement | undefined = root
  for (const index of path) element = element && childElements(element)[index]
  assert.ok(element)
  return element
}

function parentOf(root: XmlElement, child: XmlElement): XmlElement {
  return elementAt(root, pathOf(root, child).slice(0, -1))
}

interface Span {
  readonly start: number
  readonly end: number
  /** Between the tags; of `<a/>` from its slash to its end, which an edit opens. */
  readonly contentStart: number
  readonly contentEnd: number
}

/** Where an element stands in the text: what is written before it, counted. */
function spanOf(document: XmlDocument, element: XmlElement): Span {
  const find = (nodes: readonly XmlNode[], from: number): number | undefined => {
    let offset = from
    for (const node of nodes) {
      if (node === element) return offset
      if (node.type === 'element') {
        const found = find(node.children, offset + startTag(node).length - 1)
        if (found !== undefined) return found
      }
      offset += formatXml(node).length
    }
    return undefined
  }
  const start = find(document.nodes, 0)
  assert.ok(start !== undefined)
  const end = start + formatXml(element).length
  const opened = start + startTag(element).length - 1
  if (element.selfClosing && element.children.length === 0)
    return { start, end, contentStart: opened - 1, contentEnd: end }
  const contentEnd = end - `</${element.name}${element.endTail}>`.length
  return { start, end, contentStart: opened, contentEnd }
}

function attributeSpan(element: XmlElement, span: Span, name: string): readonly [number, number] {
  const index = element.attributes.findIndex((attribute) => attribute.name === name)
  const start = span.start + 1 + element.name.length + lengthOf(element.attributes.slice(0, index))
  return [start, start + lengthOf(element.attributes.slice(index, index + 1))]
}

function lengthOf(attributes: readonly XmlAttribute[]): number {
  return attributes.reduce(
    (sum, { before, name, equals, raw }) => sum + `${before}${name}${equals}${raw}`.length + 2,
    0,
  )
}

/** All characters before `start` and from `end` on are still there. */
function isWindow(start: number, end: number) {
  return (before: string, after: string, where: string): void => {
    assert.equal(after.slice(0, start), before.slice(0, start), `${where} changed what stands before`)
    const rest = before.slice(end)
    assert.equal(after.slice(after.length - rest.length), rest, `${where} changed what stands behind`)
  }
}

/** How many characters two texts share at their beginnings, and how many of the rest at their ends. */
function commonEnds(a: string, b: string): readonly [number, number] {
  let start = 0
  while (start < a.length && a[start] === b[start]) start += 1
  let end = 0
  const limit = Math.min(a.length, b.length) - start
  while (end < limit && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1
  return [start, end]
}
