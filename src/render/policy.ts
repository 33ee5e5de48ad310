/**
 * The engine of the policy gate: walks XML by a table of allowed elements, attributes and values, and refuses whatever
 * the table does not name. Denied by default, all findings at once. The tables are in `domain-policy.ts` and
 * `network-policy.ts`; the XML comes from templates that may be hostile.
 */
import { VmpkgError } from '../errors.ts'
import { childElements, getAttribute, getText } from '../xml/find.ts'
import type { XmlDocument, XmlElement } from '../xml/tree.ts'

/** What is wrong with a value; undefined where it may stand. */
export type Check = (value: string) => string | undefined

export interface Rule {
  readonly attributes?: Readonly<Record<string, Check>>
  /** Attributes that must be present. */
  readonly required?: readonly string[]
  /** Judges the text; without it the element has none. */
  readonly text?: Check
  /** May stand more than once in its parent. */
  readonly many?: boolean
}

/** Rules by path: `domain/devices/disk/source`. */
export type Rules = Readonly<Record<string, Rule>>

export interface Finding {
  readonly path: string
  readonly reason: string
}

export function oneOf(...values: readonly string[]): Check {
  return (value) =>
    values.includes(value) ? undefined : `must be ${values.map((v) => JSON.stringify(v)).join(' or ')}`
}

export function matching(pattern: RegExp, what: string): Check {
  return (value) => (pattern.test(value) ? undefined : `must be ${what}`)
}

/** Only the given host paths; absent ones stand for nothing. */
export function pathOf(what: string, ...paths: readonly (string | undefined)[]): Check {
  return (value) => (paths.includes(value) ? undefined : `is not ${what}`)
}

/** Findings of the table alone, in document order. */
export function findViolations(document: XmlDocument, rules: Rules): Finding[] {
  const findings: Finding[] = []
  if (document.nodes.some((node) => node.type === 'instruction')) {
    findings.push({ path: '/', reason: 'processing instruction' })
  }
  visit(document.root, document.root.name, document.root.name, rules, findings)
  return findings
}

function visit(element: XmlElement, path: string, place: string, rules: Rules, findings: Finding[]): void {
  const rule = Object.hasOwn(rules, path) ? rules[path] : undefined
  if (rule === undefined) {
    findings.push({ path: place, reason: 'this element is not allowed' })
    return
  }
  visitAttributes(element, place, rule, findings)
  if (element.children.some((node) => node.type === 'cdata' || node.type === 'instruction')) {
    findings.push({ path: place, reason: 'CDATA or a processing instruction' })
  }
  const text = getText(element)
  const reason = rule.text === undefined ? (/\S/.test(text) ? 'no text is allowed here' : undefined) : rule.text(text)
  if (reason !== undefined) findings.push({ path: place, reason: `${reason}${quote(text)}` })
  const seen = new Map<string, number>()
  for (const child of childElements(element)) {
    const number = (seen.get(child.name) ?? 0) + 1
    seen.set(child.name, number)
    const childPath = `${path}/${child.name}`
    const childPlace = `${place}/${child.name}${number === 1 ? '' : `[${number}]`}`
    const repeatable = Object.hasOwn(rules, childPath) && rules[childPath]?.many === true
    if (number > 1 && !repeatable) findings.push({ path: childPlace, reason: 'only one is allowed' })
    else visit(child, childPath, childPlace, rules, findings)
  }
}

function visitAttributes(element: XmlElement, place: string, rule: Rule, findings: Finding[]): void {
  const checks = rule.attributes ?? {}
  for (const { name } of element.attributes) {
    const value = getAttribute(element, name) ?? ''
    const reason = Object.hasOwn(checks, name) ? checks[name]?.(value) : 'this attribute is not allowed'
    if (reason !== undefined) findings.push({ path: `${place}/@${name}`, reason: `${reason}${quote(value)}` })
  }
  for (const name of rule.required ?? []) {
    if (getAttribute(element, name) === undefined) findings.push({ path: `${place}/@${name}`, reason: 'is missing' })
  }
}

function quote(value: string): string {
  return value.trim() === '' ? '' : `: ${JSON.stringify(value.slice(0, 80))}`
}

/** @throws {VmpkgError} `POLICY_REFUSED` with all findings, where there are any */
export function refuseFindings(subject: string, findings: readonly Finding[]): void {
  const [first] = findings
  if (first === undefined) return
  const more = findings.length > 1 ? ` (and ${findings.length - 1} more)` : ''
  throw new VmpkgError(
    'POLICY_REFUSED',
    `${subject} is refused: ${first.path.slice(0, 200)}: ${first.reason.slice(0, 200)}${more}`,
    {
      hint: 'Do not install this package, or grant what it asks for where it declares a capability.',
      details: { findings: findings.slice(0, 100) },
    },
  )
}
