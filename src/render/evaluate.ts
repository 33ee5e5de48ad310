/**
 * Runs a checked template over plain data. There is no generated code: each node is walked, every name must be an own
 * property of the data, and steps and output are counted, so the bound on time does not depend on a clock.
 * The result keeps values apart from the template's own text, so that a format can judge where a value stands.
 */
import { VmpkgError } from '../errors.ts'
import { helperOf, isTruthy } from './helpers.ts'
import { findArgumentFault } from './partial-arguments.ts'
import {
  type CallNode,
  type EachNode,
  type Expression,
  type PartialNode,
  type PathNode,
  refuse,
  type Template,
  type TemplateNode,
} from './template.ts'

/** A piece of output: the template's own text, or a value with the name it was written with. */
export type Segment =
  | { readonly kind: 'text'; readonly text: string; readonly place?: SourcePlace }
  | { readonly kind: 'value'; readonly text: string; readonly name: string; readonly place?: SourcePlace }

/** Where output was written: a line of a template, and for a partial the place that asks for it. */
export interface SourcePlace {
  readonly template: string
  readonly line: number
  readonly from?: SourcePlace
}

/** Well below 200 ms. */
const MAXIMUM_STEPS = 100_000
/** Characters. */
const MAXIMUM_OUTPUT = 1024 * 1024
const MAXIMUM_PARTIAL_DEPTH = 16

interface Frame {
  readonly self: unknown
  readonly parent: Frame | undefined
  /** `@index`, `@first`, `@last`. */
  readonly data: Readonly<Record<string, unknown>>
  readonly named: Readonly<Record<string, unknown>>
}

type FindPartial = (name: string) => Template | undefined

interface Run {
  readonly root: unknown
  readonly findPartial: FindPartial
  template: string
  /** The place that asks for the partial at hand. */
  from: SourcePlace | undefined
  steps: number
  size: number
  partialDepth: number
}

/**
 * Evaluates `template` over `data` (plain values; a known but absent one is a key with `undefined`).
 * @throws {VmpkgError} `TEMPLATE_INVALID` unknown names, `RENDER_REFUSED` values that cannot be written, exceeded bounds
 */
export function evaluate(template: Template, findPartial: FindPartial, data: unknown): Segment[] {
  const counts = { steps: 0, size: 0, partialDepth: 0 }
  const run: Run = { root: data, findPartial, template: template.name, from: undefined, ...counts }
  const output: Segment[] = []
  evaluateNodes(run, template.body, { self: data, parent: undefined, data: {}, named: {} }, output)
  return output
}

function evaluateNodes(run: Run, nodes: readonly TemplateNode[], frame: Frame, output: Segment[]): void {
  for (const node of nodes) {
    countStep(run)
    switch (node.kind) {
      case 'text':
        grow(run, node.text.length)
        output.push({ kind: 'text', text: node.text, place: placeOf(run, node.line) })
        break
      case 'value': {
        const segment = { ...writeValue(run, node.expression, frame), place: placeOf(run, node.line) }
        grow(run, segment.text.length)
        output.push(segment)
        break
      }
      case 'if': {
        const holds = isTruthy(compute(run, node.test, frame)) !== node.negated
        evaluateNodes(run, holds ? node.body : node.otherwise, frame, output)
        break
      }
      case 'each':
        evaluateEach(run, node, frame, output)
        break
      case 'partial':
        evaluatePartial(run, node, frame, output)
        break
    }
  }
}

function evaluateEach(run: Run, node: EachNode, frame: Frame, output: Segment[]): void {
  const list = compute(run, node.list, frame)
  if (list !== undefined && !Array.isArray(list)) refuse(run.template, lineOf(node.list), 'each needs a list')
  const items: readonly unknown[] = Array.isArray(list) ? list : []
  if (items.length === 0) evaluateNodes(run, node.otherwise, frame, output)
  for (const [index, self] of items.entries()) {
    countStep(run)
    const [item, position] = node.names
    const named = {
      ...frame.named,
      ...(item === undefined ? {} : { [item]: self }),
      ...(position === undefined ? {} : { [position]: index }),
    }
    const data = { index, first: index === 0, last: index === items.length - 1 }
    evaluateNodes(run, node.body, { self, parent: frame, data, named }, output)
  }
}

function evaluatePartial(run: Run, node: PartialNode, frame: Frame, output: Segment[]): void {
  const partial = run.findPartial(node.name)
  if (partial === undefined) {
    return refuse(run.template, node.line, `partial ${JSON.stringify(node.name)} does not exist`)
  }
  if (run.partialDepth >= MAXIMUM_PARTIAL_DEPTH) exceed(run, `partials nested deeper than ${MAXIMUM_PARTIAL_DEPTH}`)
  const self = partialScope(run, node, partial, frame)
  const inner: Segment[] = []
  const outer = { template: run.template, from: run.from }
  run.from = placeOf(run, node.line)
  run.template = partial.name
  run.partialDepth += 1
  evaluateNodes(run, partial.body, { self, parent: undefined, data: frame.data, named: {} }, inner)
  run.partialDepth -= 1
  Object.assign(run, outer)
  appendIndented(run, inner, node.indent, output)
}

/**
 * What a partial sees. One that declares its arguments sees those and the names of the whole template, whatever stands
 * around it; any other sees what stands around it, as in Handlebars.
 */
function partialScope(run: Run, node: PartialNode, { declaration }: Template, frame: Frame): unknown {
  const added = node.added.map(([key, value]) => [key, compute(run, value, frame)] as const)
  const given = node.context === undefined ? undefined : compute(run, node.context, frame)
  if (declaration === undefined) {
    const context = node.context === undefined ? frame.self : given
    return added.length === 0 ? context : { ...(isRecord(context) ? context : {}), ...Object.fromEntries(added) }
  }
  const known = declaration.arguments.map(({ name }) => name)
  for (const [key] of added) {
    if (known.includes(key)) continue
    const list = known.length === 0 ? 'none' : known.join(', ')
    refuse(run.template, node.line, `partial ${node.name} has no argument ${JSON.stringify(key)}; it has ${list}`)
  }
  const scope = {
    ...(isRecord(run.root) ? run.root : {}),
    ...Object.fromEntries(known.map((name) => [name, undefined])),
    ...(isRecord(given) ? given : {}),
    ...Object.fromEntries(added),
  }
  for (const argument of declaration.arguments) {
    const fault = findArgumentFault(argument, scope[argument.name])
    if (fault === undefined) continue
    throw new VmpkgError('RENDER_REFUSED', `${describe(run)} (line ${node.line}): partial ${node.name} ${fault}`, {
      hint: 'Set the parameter that it comes from, or see docs/templates.md for the arguments of partials.',
      details: { template: run.template, line: node.line, partial: node.name, argument: argument.name },
    })
  }
  return scope
}

function placeOf(run: Run, line: number): SourcePlace {
  return { template: run.template, line, ...(run.from === undefined ? {} : { from: run.from }) }
}

/** A partial alone on its line is indented as that line is. */
function appendIndented(run: Run, segments: readonly Segment[], indent: string, output: Segment[]): void {
  let atLineStart = indent !== ''
  for (const segment of segments) {
    if (segment.text === '') continue
    if (atLineStart) output.push({ kind: 'text', text: indent })
    if (segment.kind === 'text' && indent !== '') {
      const text = segment.text.replace(/\n(?=[^])/g, `\n${indent}`)
      grow(run, text.length - segment.text.length)
      output.push({ ...segment, text })
    } else output.push(segment)
    atLineStart = indent !== '' && segment.kind === 'text' && segment.text.endsWith('\n')
  }
}

function writeValue(run: Run, expression: Expression, frame: Frame): Segment {
  const value = compute(run, expression, frame)
  const name =
    expression.kind === 'path' ? expression.original : expression.kind === 'call' ? expression.helper : 'text'
  if (typeof value === 'string') return { kind: 'value', text: value, name }
  if (typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))) {
    return { kind: 'value', text: `${value}`, name }
  }
  const what = value === undefined ? 'has no value' : 'is not a single value'
  throw new VmpkgError('RENDER_REFUSED', `${describe(run)}: ${JSON.stringify(name.slice(0, 80))} ${what}`, {
    hint: 'Set the parameter, or guard it in the template with {{#if}}.',
    details: { template: run.template, name },
  })
}

function compute(run: Run, expression: Expression, frame: Frame): unknown {
  countStep(run)
  if (expression.kind === 'literal') return expression.value
  if (expression.kind === 'path') return lookUp(run, expression, frame)
  return call(run, expression, frame)
}

function call(run: Run, { helper, args, line }: CallNode, frame: Frame): unknown {
  const { template } = run
  let outermost = placeOf(run, line)
  while (outermost.from !== undefined) outermost = outermost.from
  return helperOf(helper).compute(
    args.map((argument) => compute(run, argument, frame)),
    {
      template,
      line,
      origin: `Template ${JSON.stringify(outermost.template.slice(0, 120))} (line ${outermost.line})`,
      releases: releasesOf(run.root),
      refuse: (reason) => refuse(template, line, reason),
    },
  )
}

/** What the data says about the host's programs (`host.libvirtVersion`, `host.qemuVersion`). */
function releasesOf(root: unknown): Readonly<Record<string, string | undefined>> {
  const host = isRecord(root) ? root['host'] : undefined
  const read = (key: string): string | undefined => {
    const value = isRecord(host) ? host[key] : undefined
    return typeof value === 'string' ? value : undefined
  }
  return { libvirt: read('libvirtVersion'), qemu: read('qemuVersion') }
}

function lookUp(run: Run, path: PathNode, frame: Frame): unknown {
  const [first, ...rest] = path.parts
  let start: Frame | undefined = frame
  for (let depth = 0; depth < path.depth; depth += 1) start = start?.parent
  if (start === undefined) return refuse(run.template, path.line, `${JSON.stringify(path.original)} leads outside`)
  if (first === undefined) return start.self
  let value: unknown
  if (path.data) value = first === 'root' ? run.root : own(run, path, start.data, first)
  else if (!path.scoped && path.depth === 0 && Object.hasOwn(frame.named, first)) value = frame.named[first]
  else value = own(run, path, start.self, first)
  for (const part of rest) {
    if (value === undefined) return undefined
    value = own(run, path, value, part)
  }
  return value
}

function own(run: Run, path: PathNode, holder: unknown, key: string): unknown {
  if (!isRecord(holder) || !Object.hasOwn(holder, key)) {
    return refuse(run.template, path.line, `unknown name ${JSON.stringify(path.original.slice(0, 80))}`)
  }
  return holder[key]
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function grow(run: Run, characters: number): void {
  run.size += characters
  if (run.size > MAXIMUM_OUTPUT) exceed(run, `more than ${MAXIMUM_OUTPUT} characters of output`)
}

function countStep(run: Run): void {
  run.steps += 1
  if (run.steps > MAXIMUM_STEPS) exceed(run, `more than ${MAXIMUM_STEPS} steps`)
}

function exceed(run: Run, reason: string): never {
  throw new VmpkgError('RENDER_REFUSED', `${describe(run)}: ${reason}`, {
    hint: 'Make the template smaller.',
    details: { template: run.template },
  })
}

function describe(run: Run): string {
  return `Template ${JSON.stringify(run.template.slice(0, 120))}`
}

function lineOf(expression: Expression): number {
  return expression.kind === 'literal' ? 0 : expression.line
}
