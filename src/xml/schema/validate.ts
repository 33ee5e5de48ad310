/**
 * Holds a document against a RELAX NG schema and says in words what does not fit, where, and what would. After a fault it
 * goes on as if the faulty thing had been left out or given, so that one mistake makes one message. Pure.
 * Test oracle: xmllint with the same schema over libvirt's own test data.
 */
import { VmpkgError } from '../../errors.ts'
import { decodeAttribute, decodeReferences, normaliseLineEnds } from '../lexical.ts'
import { lineOf } from '../line.ts'
import type { XmlDocument, XmlElement } from '../tree.ts'
import {
  attributeSteps,
  closeElement,
  closeStartTag,
  isBlank,
  openElement,
  takeAttribute,
  takeText,
} from './derivative.ts'
import {
  expectedAttributes,
  expectedElements,
  expectedOfSteps,
  expectedValues,
  missingAttributes,
  missingElements,
} from './expected.ts'
import type { Schema } from './grammar.ts'
import {
  declaredBy,
  isDeclaration,
  type Namespaces,
  NO_NAMESPACES,
  resolveAttributeName,
  resolveElementName,
} from './namespaces.ts'
import type { Pattern } from './pattern.ts'

export interface SchemaFault {
  /** As in `/domain/devices/disk[2]/source/@file`; elements of one name and parent are counted from 1. */
  readonly path: string
  readonly line: number
  /** One sentence without the place. */
  readonly reason: string
  /** What the schema would take there: names or values. */
  readonly allowed: readonly string[]
}

const MAXIMUM_FAULTS = 20

/** All faults in document order, twenty at most; none where the document is valid. */
export function findSchemaFaults(document: XmlDocument, schema: Schema): readonly SchemaFault[] {
  const validation = new Validation(document, schema)
  return validation.run()
}

/**
 * @param libvirt release whose schema it is, for the message
 * @throws {VmpkgError} `SCHEMA_INVALID` with every fault in its details
 */
export function requireSchemaValid(document: XmlDocument, schema: Schema, libvirt: string): void {
  const faults = findSchemaFaults(document, schema)
  const [first] = faults
  if (first === undefined) return
  const others = faults.length === 1 ? '' : `; ${faults.length - 1} more`
  throw new VmpkgError(
    'SCHEMA_INVALID',
    `libvirt ${libvirt} does not take this XML: ${first.path} (line ${first.line}): ${first.reason}${others}`,
    {
      hint:
        first.allowed.length === 0
          ? 'Remove it from the template, or write it as libvirt’s documentation of the format shows.'
          : `Allowed there: ${listWords(first.allowed)}.`,
      details: { libvirt, faults },
    },
  )
}

class Validation {
  readonly #document: XmlDocument
  readonly #schema: Schema
  readonly #faults: SchemaFault[] = []

  constructor(document: XmlDocument, schema: Schema) {
    this.#document = document
    this.#schema = schema
  }

  run(): readonly SchemaFault[] {
    const { root } = this.#document
    this.#element(this.#schema.start, root, `/${root.name}`, NO_NAMESPACES)
    return this.#faults
  }

  #fail(element: XmlElement, path: string, reason: string, allowed: readonly string[]): void {
    if (!this.#isFull) this.#faults.push({ path, line: lineOf(this.#document, element), reason, allowed })
  }

  /** Nothing more would be told, so nothing more is looked at. */
  get #isFull(): boolean {
    return this.#faults.length === MAXIMUM_FAULTS
  }

  /** What is left of the pattern after the element. */
  #element(before: Pattern, element: XmlElement, path: string, outer: Namespaces): Pattern {
    if (this.#isFull) return before
    const { table } = this.#schema
    const namespaces = declaredBy(element, outer)
    const opened = openElement(table, before, resolveElementName(element.name, namespaces))
    if (opened.kind === 'notAllowed') {
      this.#fail(element, path, `the element <${element.name}> is not allowed here`, expectedElements(before))
      return before
    }
    const started = this.#attributes(opened, element, path, namespaces)
    const filled = this.#content(started, element, path, namespaces)
    const closed = closeElement(table, filled)
    if (closed.kind !== 'notAllowed') return closed
    const wanted = missingElements(filled)
    const reason =
      wanted.length > 0
        ? `the element <${element.name}> is not complete: ${listWords(wanted.map((name) => `<${name}>`))} is missing`
        : `the element <${element.name}> is not complete`
    this.#fail(element, path, reason, wanted.length > 0 ? wanted : expectedValues([filled]))
    return closeElement(table, filled, true)
  }

  #attributes(opened: Pattern, element: XmlElement, path: string, namespaces: Namespaces): Pattern {
    const { table } = this.#schema
    let pattern = opened
    for (const { name, raw } of element.attributes) {
      if (isDeclaration(name) || this.#isFull) continue
      const qualified = resolveAttributeName(name, namespaces)
      const steps = attributeSteps(table, pattern, qualified)
      if (steps.length === 0) {
        const alone = attributeSteps(table, opened, qualified).length > 0
        const reason = alone
          ? `the attribute "${name}" does not go with the other attributes of <${element.name}>`
          : `<${element.name}> has no attribute "${name}" here`
        this.#fail(element, `${path}/@${name}`, reason, expectedAttributes(pattern))
        continue
      }
      const value = decodeAttribute(raw)
      const taken = takeAttribute(table, steps, value)
      if (taken.kind === 'notAllowed') {
        this.#fail(element, `${path}/@${name}`, `the value ${quote(value)} is not allowed`, expectedOfSteps(steps))
        pattern = table.choice(steps.map(({ rest }) => rest))
      } else pattern = taken
    }
    const closed = closeStartTag(table, pattern)
    if (closed.kind !== 'notAllowed') return closed
    const wanted = missingAttributes(pattern)
    this.#fail(element, path, `<${element.name}> lacks an attribute: ${listWords(wanted)}`, wanted)
    return closeStartTag(table, pattern, true)
  }

  #content(started: Pattern, element: XmlElement, path: string, namespaces: Namespaces): Pattern {
    const { table } = this.#schema
    const children = contentOf(element)
    const [only] = children
    if (only === undefined || (children.length === 1 && typeof only === 'string')) {
      const text = only ?? ''
      const read = takeText(table, started, text)
      if (isBlank(text)) return table.choice([started, read])
      if (read.kind !== 'notAllowed' && closeElement(table, read).kind !== 'notAllowed') return read
      const allowed = expectedValues([started])
      if (allowed.length > 0 || read.kind === 'notAllowed') {
        this.#fail(element, path, `the text ${quote(text)} is not allowed`, allowed)
        return closeElement(table, started).kind === 'notAllowed' && allowed.length > 0
          ? table.after(table.empty, closeElement(table, started, true))
          : started
      }
      return read
    }
    const counts = new Map<string, number>()
    let pattern = started
    for (const child of children) {
      if (typeof child !== 'string') {
        const number = (counts.get(child.name) ?? 0) + 1
        counts.set(child.name, number)
        const several = number > 1 || children.some((other) => isNamesake(other, child))
        pattern = this.#element(pattern, child, `${path}/${child.name}${several ? `[${number}]` : ''}`, namespaces)
      } else if (!isBlank(child)) {
        const read = takeText(table, pattern, child)
        if (read.kind === 'notAllowed') {
          this.#fail(element, path, `the text ${quote(child)} is not allowed`, expectedElements(pattern))
        } else pattern = read
      }
    }
    return pattern
  }
}

/** Elements and runs of text, comments and instructions left out. */
function contentOf(element: XmlElement): readonly (XmlElement | string)[] {
  const content: (XmlElement | string)[] = []
  for (const node of element.children) {
    if (node.type === 'element') content.push(node)
    else if (node.type === 'text' || node.type === 'cdata') {
      const text = node.type === 'text' ? decodeReferences(node.raw) : normaliseLineEnds(node.raw.slice(9, -3))
      const last = content.at(-1)
      if (typeof last === 'string') content[content.length - 1] = last + text
      else content.push(text)
    }
  }
  return content
}

function isNamesake(other: XmlElement | string, child: XmlElement): boolean {
  return typeof other !== 'string' && other !== child && other.name === child.name
}

function quote(value: string): string {
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value)
}

/** `a, b or c`; long lists are cut. */
function listWords(words: readonly string[]): string {
  const shown = words.length > 16 ? [...words.slice(0, 15), `${words.length - 15} others`] : [...words]
  const last = shown.pop() ?? ''
  return shown.length === 0 ? last : `${shown.join(', ')} or ${last}`
}
