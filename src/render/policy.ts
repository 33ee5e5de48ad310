/**
 * The engine of the policy gate: walks XML by a tree of rules and refuses whatever they do not name. Denied by default,
 * all findings at once. The rules are in `rules/`, one file for each part of libvirt's formats; the XML comes from
 * templates that may be hostile.
 */
import { VmpkgError } from '../errors.ts'
import { childElements, getAttribute, getText } from '../xml/find.ts'
import type { XmlDocument, XmlElement } from '../xml/tree.ts'
import { type Gate, grantOf, type Need } from './gate.ts'

/** What is wrong with a value; undefined where it may stand. */
export type Check = (value: string, gate: Gate) => Refusal | undefined
/** The reason, alone or with the capability that would allow it. */
export type Refusal = string | { readonly reason: string; readonly allowedBy: Need }

export interface Rule {
  /** Capability without which the element may not stand at all. */
  readonly needs?: Need
  /** Reason why the element may never stand, with everything in it. */
  readonly never?: string
  readonly attributes?: Readonly<Record<string, Check>>
  /** Attributes that must be present. */
  readonly required?: readonly string[]
  /** Judges the text; without it the element has none. */
  readonly text?: Check
  /** May stand more than once in its parent. */
  readonly many?: boolean
  readonly children?: Children
  /** The value of an attribute decides what else holds; a value without a case is refused. */
  readonly variants?: Variants
  /** What depends on more than one attribute. */
  readonly judge?: (element: XmlElement, gate: Gate) => Refusal | undefined
}

/** By name. A function stands for a rule that holds itself. */
type Children = Readonly<Record<string, Rule | (() => Rule)>>

interface Variants {
  readonly by: string
  /** The value where the attribute is absent; without it the attribute must stand. */
  readonly absent?: string
  readonly cases: Readonly<Record<string, Rule>>
}

export interface Finding {
  readonly path: string
  readonly reason: string
  /** Capability that would allow it, signed and granted. */
  readonly allowedBy?: Need
}

export function oneOf(...values: readonly string[]): Check {
  const words = values.map((value) => JSON.stringify(value)).join(' or ')
  return (value) => (values.includes(value) ? undefined : `must be ${words}`)
}

export function matching(pattern: RegExp, what: string): Check {
  return (value) => (pattern.test(value) ? undefined : `must be ${what}`)
}

/** A value that vmpkg gave. */
export function given(what: string, ...kinds: readonly string[]): Check {
  return (value, gate) => (kinds.some((kind) => gate.given[kind]?.includes(value)) ? undefined : `is not ${what}`)
}

/** A value that the user's own parameters hold: a template has no say in it. */
export const chosen: Check = (value, gate) =>
  gate.isChosen(value) ? undefined : 'is not among the values that the user gave'

/** A value passes where one of the checks lets it; else all that they say is said. */
export function either(...checks: readonly Check[]): Check {
  return (value, gate) => {
    const refusals: Refusal[] = []
    for (const check of checks) {
      const refusal = check(value, gate)
      if (refusal === undefined) return undefined
      refusals.push(refusal)
    }
    const reason = refusals.map((one) => (typeof one === 'string' ? one : one.reason)).join(', and else ')
    const allowedBy = refusals.flatMap((one) => (typeof one === 'string' ? [] : [one.allowedBy]))[0]
    return allowedBy === undefined ? reason : { reason, allowedBy }
  }
}

/** What passes the check, and needs the capability besides. */
export function asking(need: Need, check: Check): Check {
  return (value, gate) => {
    const reason = gate.missing(need)
    return reason === undefined ? check(value, gate) : { reason, allowedBy: need }
  }
}

/** Harmless values pass, all others need the capability and pass its check. */
export function unless(harmless: Check, need: Need, check: Check = harmlessAnyway): Check {
  return (value, gate) => (harmless(value, gate) === undefined ? undefined : asking(need, check)(value, gate))
}

const harmlessAnyway: Check = () => undefined

/** An attribute that has no place, and why. */
export function neverValue(reason: string): Check {
  return () => reason
}

export function never(reason: string): Rule {
  return { never: reason, many: true }
}

/** One rule that asks for all that its parts ask for; a later part wins where two say something of one name. */
export function rule(...parts: readonly Rule[]): Rule {
  const merged = Object.assign({}, ...parts) as Rule
  const attributes = Object.assign({}, ...parts.map((part) => part.attributes)) as Record<string, Check>
  const children = Object.assign({}, ...parts.map((part) => part.children)) as Children
  const required = parts.flatMap((part) => part.required ?? [])
  const judges = parts.flatMap((part) => part.judge ?? [])
  return {
    ...merged,
    attributes,
    children,
    required,
    judge: (element, gate) => {
      for (const judge of judges) {
        const refusal = judge(element, gate)
        if (refusal !== undefined) return refusal
      }
      return undefined
    },
  }
}

/** Findings of the rules alone, in document order. @param root name of the root and its rule */
export function findViolations(document: XmlDocument, [name, root]: readonly [string, Rule], gate: Gate): Finding[] {
  const findings: Finding[] = []
  if (document.nodes.some((node) => node.type === 'instruction')) {
    findings.push({ path: '/', reason: 'processing instruction' })
  }
  if (document.root.name !== name) findings.push({ path: document.root.name, reason: 'this element is not allowed' })
  else visit(document.root, name, root, { gate, findings })
  return findings
}

interface Walk {
  readonly gate: Gate
  readonly findings: Finding[]
}

function visit(element: XmlElement, place: string, base: Rule, walk: Walk): void {
  const chosenRule = selectVariant(element, place, base, walk)
  if (chosenRule === undefined) return
  if (chosenRule.never !== undefined) {
    walk.findings.push({ path: place, reason: chosenRule.never })
    return
  }
  const missing = chosenRule.needs === undefined ? undefined : walk.gate.missing(chosenRule.needs)
  if (missing !== undefined && chosenRule.needs !== undefined) {
    walk.findings.push({ path: place, reason: missing, allowedBy: chosenRule.needs })
  }
  visitAttributes(element, place, chosenRule, walk)
  if (element.children.some((node) => node.type === 'cdata' || node.type === 'instruction')) {
    walk.findings.push({ path: place, reason: 'CDATA or a processing instruction' })
  }
  const text = getText(element)
  if (chosenRule.text !== undefined) report(walk, place, chosenRule.text(text, walk.gate), text)
  else if (/\S/.test(text)) report(walk, place, 'no text is allowed here', text)
  report(walk, place, chosenRule.judge?.(element, walk.gate), '')
  visitChildren(element, place, chosenRule.children ?? {}, walk)
}

function visitChildren(element: XmlElement, place: string, rules: Children, walk: Walk): void {
  const seen = new Map<string, number>()
  for (const child of childElements(element)) {
    const number = (seen.get(child.name) ?? 0) + 1
    seen.set(child.name, number)
    const childPlace = `${place}/${child.name}${number === 1 ? '' : `[${number}]`}`
    const found = Object.hasOwn(rules, child.name) ? rules[child.name] : undefined
    const childRule = typeof found === 'function' ? found() : found
    if (childRule === undefined) walk.findings.push({ path: childPlace, reason: 'this element is not allowed' })
    else if (number > 1 && childRule.many !== true) {
      walk.findings.push({ path: childPlace, reason: 'only one is allowed' })
    } else visit(child, childPlace, childRule, walk)
  }
}

/** The base with the case that the element is; undefined, with a finding, where it is none. */
function selectVariant(element: XmlElement, place: string, base: Rule, walk: Walk): Rule | undefined {
  if (base.variants === undefined) return base
  const { by, absent, cases } = base.variants
  const value = getAttribute(element, by) ?? absent
  const found = value !== undefined && Object.hasOwn(cases, value) ? cases[value] : undefined
  if (found === undefined || value === undefined) {
    const allowed = Object.entries(cases).filter(([, one]) => one.never === undefined)
    const reason = value === undefined ? 'is missing' : `must be one of ${allowed.map(([key]) => key).join(', ')}`
    walk.findings.push({ path: `${place}/@${by}`, reason: `${reason}${quote(value ?? '')}` })
    return undefined
  }
  if (found.never !== undefined) {
    walk.findings.push({ path: `${place}/@${by}`, reason: `${found.never}${quote(value)}` })
    return undefined
  }
  // Cases may have cases of their own, by another attribute.
  const { variants: _, ...rest } = base
  return selectVariant(element, place, rule(rest, { attributes: { [by]: () => undefined } }, found), walk)
}

function visitAttributes(element: XmlElement, place: string, one: Rule, walk: Walk): void {
  const checks = one.attributes ?? {}
  for (const { name } of element.attributes) {
    const value = getAttribute(element, name) ?? ''
    const check = Object.hasOwn(checks, name) ? checks[name] : undefined
    const refusal = check === undefined ? 'this attribute is not allowed' : check(value, walk.gate)
    report(walk, `${place}/@${name}`, refusal, value)
  }
  for (const name of one.required ?? []) {
    if (getAttribute(element, name) === undefined) {
      walk.findings.push({ path: `${place}/@${name}`, reason: 'is missing' })
    }
  }
}

function report({ findings }: Walk, path: string, refusal: Refusal | undefined, value: string): void {
  if (refusal === undefined) return
  if (typeof refusal === 'string') findings.push({ path, reason: `${refusal}${quote(value)}` })
  else findings.push({ path, reason: `${refusal.reason}${quote(value)}`, allowedBy: refusal.allowedBy })
}

function quote(value: string): string {
  return value.trim() === '' ? '' : `: ${JSON.stringify(value.slice(0, 80))}`
}

/** @throws {VmpkgError} `POLICY_REFUSED` with all findings, where there are any */
export function refuseFindings(subject: string, findings: readonly Finding[]): void {
  const [first] = findings
  if (first === undefined) return
  const more = findings.length > 1 ? ` (and ${findings.length - 1} more)` : ''
  const missing = [
    ...new Set(findings.flatMap(({ allowedBy }) => (allowedBy === undefined ? [] : [grantOf(allowedBy)]))),
  ]
  const isAllGrants = findings.every(({ reason }) => reason.includes('which is not granted'))
  throw new VmpkgError(
    'POLICY_REFUSED',
    `${subject} is refused: ${first.path.slice(0, 200)}: ${first.reason.slice(0, 200)}${more}`,
    {
      hint:
        isAllGrants && missing.length > 0
          ? `When you agree, install it with ${missing.map((need) => `--grant ${need}`).join(' ')}.`
          : 'Do not install this package: its template asks for what it does not declare, or for what no package may have.',
      details: { findings: findings.slice(0, 100), needs: missing },
    },
  )
}
