/**
 * Reads a Handlebars template into the small language that packages may use: text, values, `if`, `unless`, `each`,
 * comments, static partials and a few inline helpers. The handlebars library parses; everything it could do beyond that
 * (raw values, dynamic partials, decorators, other helpers, names of prototypes) has no form here and is refused.
 * Templates come from packages and may be hostile. Test oracle: handlebars itself renders benign templates alike.
 */
import { parse } from 'handlebars/dist/cjs/handlebars/compiler/base.js' // the parser alone: a fifth of the files
import { VmpkgError } from '../errors.ts'
import { trimChainEnds } from './chain-ends.ts'
import { type HelperName, helperOf, isHelper } from './helpers.ts'
import { type Declaration, parseDeclaration } from './partial-arguments.ts'

/** What a checked template is made of. */
export type TemplateNode =
  | { readonly kind: 'text'; readonly text: string; readonly line: number }
  | { readonly kind: 'value'; readonly expression: Expression; readonly line: number }
  | IfNode
  | EachNode
  | PartialNode

interface IfNode {
  readonly kind: 'if'
  readonly test: Expression
  readonly negated: boolean
  readonly body: readonly TemplateNode[]
  readonly otherwise: readonly TemplateNode[]
}

export interface EachNode {
  readonly kind: 'each'
  readonly list: Expression
  /** `as |item index|` */
  readonly names: readonly string[]
  readonly body: readonly TemplateNode[]
  readonly otherwise: readonly TemplateNode[]
}

export interface PartialNode {
  readonly kind: 'partial'
  readonly name: string
  readonly context: Expression | undefined
  readonly added: readonly (readonly [string, Expression])[]
  /** Blanks before a partial that is alone on its line. */
  readonly indent: string
  readonly line: number
}

export type Expression = { readonly kind: 'literal'; readonly value: string | number | boolean } | PathNode | CallNode

export interface CallNode {
  readonly kind: 'call'
  readonly helper: HelperName
  readonly args: readonly Expression[]
  readonly line: number
}

export interface PathNode {
  readonly kind: 'path'
  /** How many `../`. */
  readonly depth: number
  /** `@index`, `@root.x`. */
  readonly data: boolean
  /** `this.x`, `./x`: names given by `as |x|` do not apply. */
  readonly scoped: boolean
  readonly parts: readonly string[]
  readonly original: string
  readonly line: number
}

export interface Template {
  readonly name: string
  readonly body: readonly TemplateNode[]
  /** Of a partial whose head names its arguments. */
  readonly declaration: Declaration | undefined
}

const MAXIMUM_CHARACTERS = 64 * 1024
const MAXIMUM_DEPTH = 32
const MAXIMUM_INDENT = 64
const MAXIMUM_TAGS = 2000
const REFUSED_NAMES = new Set(['__proto__', 'prototype', 'constructor', '__defineGetter__', '__defineSetter__'])

interface Kinds {
  readonly ContentStatement: hbs.AST.ContentStatement
  readonly CommentStatement: hbs.AST.CommentStatement
  readonly MustacheStatement: hbs.AST.MustacheStatement
  readonly BlockStatement: hbs.AST.BlockStatement
  readonly PartialStatement: hbs.AST.PartialStatement
  readonly SubExpression: hbs.AST.SubExpression
  readonly PathExpression: hbs.AST.PathExpression
  readonly StringLiteral: hbs.AST.StringLiteral
  readonly NumberLiteral: hbs.AST.NumberLiteral
  readonly BooleanLiteral: hbs.AST.BooleanLiteral
}

function isKind<K extends keyof Kinds>(node: hbs.AST.Node, kind: K): node is Kinds[K] {
  return node.type === kind
}

/**
 * Parses and checks one template; `name` is for messages.
 * @throws {VmpkgError} `TEMPLATE_INVALID` with the template's name and line
 */
export function parseTemplate(name: string, source: string): Template {
  if (source.length > MAXIMUM_CHARACTERS) refuse(name, 0, `longer than ${MAXIMUM_CHARACTERS} characters`)
  refuseCostly(name, source)
  let program: hbs.AST.Program
  try {
    program = parse(source)
    trimChainEnds(source, program)
  } catch (cause) {
    const [first] = cause instanceof Error ? cause.message.split('\n') : []
    return refuse(name, 0, `Handlebars cannot read it: ${JSON.stringify((first ?? '').slice(0, 120))}`)
  }
  return { name, body: readProgram(name, program, 0), declaration: readDeclaration(name, program) }
}

/** Of the comment at the head, where it declares arguments. */
function readDeclaration(name: string, program: hbs.AST.Program): Declaration | undefined {
  const first = program.body.find((one) => !isKind(one, 'ContentStatement') || one.value.trim() !== '')
  if (first === undefined || !isKind(first, 'CommentStatement')) return undefined
  try {
    return parseDeclaration(first.value)
  } catch (error) {
    return refuse(name, first.loc.start.line, error instanceof SyntaxError ? error.message : 'its head')
  }
}

/** Handlebars' parser takes seconds for thousands of nested blocks or calls, so they are counted first. */
function refuseCostly(name: string, source: string): void {
  let [tags, blocks, calls, isInside] = [0, 0, 0, false]
  for (const [mark] of source.matchAll(/\{\{[{~]*[#^/]?|\}\}|[()]/g)) {
    if (mark === '(' && isInside) calls += 1
    else if (mark === ')' && isInside) calls -= 1
    else if (mark.startsWith('{{')) {
      isInside = true
      tags += 1
      calls = 0
      if (mark.endsWith('/')) blocks -= 1
      else if (!mark.endsWith('{') && !mark.endsWith('~')) blocks += 1
    } else if (mark === '}}') isInside = false
    if (tags > MAXIMUM_TAGS) refuse(name, 0, `more than ${MAXIMUM_TAGS} tags`)
    if (blocks > MAXIMUM_DEPTH || calls > MAXIMUM_DEPTH) refuse(name, 0, `nested deeper than ${MAXIMUM_DEPTH}`)
  }
}

function readProgram(name: string, program: hbs.AST.Program | undefined, depth: number): TemplateNode[] {
  if (depth > MAXIMUM_DEPTH) refuse(name, 0, `nested deeper than ${MAXIMUM_DEPTH}`)
  return (program?.body ?? []).flatMap((statement) => readStatement(name, statement, depth))
}

function readStatement(name: string, statement: hbs.AST.Statement, depth: number): TemplateNode[] {
  const { line } = statement.loc.start
  if (isKind(statement, 'CommentStatement')) return []
  if (isKind(statement, 'ContentStatement')) return [readText(statement)]
  if (isKind(statement, 'MustacheStatement')) {
    if (!statement.escaped) refuse(name, line, 'a value without escaping ({{{ }}} or {{& }})')
    return [{ kind: 'value', expression: readCall(name, statement, depth), line }]
  }
  if (isKind(statement, 'BlockStatement')) return [readBlock(name, statement, depth)]
  if (isKind(statement, 'PartialStatement')) return [readPartial(name, statement, depth)]
  return refuse(name, line, `${statement.type} is not part of the language`)
}

/** Handlebars takes white space away beside blocks alone on their lines: the line is that of what is left. */
function readText({ value, original, loc }: hbs.AST.ContentStatement): TemplateNode {
  const whole: unknown = original // a string, whatever handlebars' types say
  const taken = typeof whole === 'string' ? whole.slice(0, Math.max(whole.indexOf(value), 0)) : ''
  return { kind: 'text', text: value, line: loc.start.line + (taken.match(/\n/g)?.length ?? 0) }
}

function readBlock(name: string, block: hbs.AST.BlockStatement, depth: number): TemplateNode {
  const { line } = block.loc.start
  const helper = isKind(block.path, 'PathExpression') ? block.path.original : ''
  const [argument] = block.params
  if (argument === undefined || block.params.length !== 1 || pairs(block.hash).length > 0) {
    return refuse(name, line, `block ${JSON.stringify(helper.slice(0, 40))} takes one argument`)
  }
  const expression = readExpression(name, argument, depth + 1)
  const body = readProgram(name, block.program, depth + 1)
  const otherwise = readProgram(name, block.inverse, depth + 1)
  const names = block.program?.blockParams ?? []
  for (const word of names) checkName(name, line, word)
  if (helper === 'each') return { kind: 'each', list: expression, names, body, otherwise }
  if ((helper === 'if' || helper === 'unless') && names.length === 0) {
    return { kind: 'if', test: expression, negated: helper === 'unless', body, otherwise }
  }
  return refuse(name, line, `block helper ${JSON.stringify(helper.slice(0, 40))} does not exist`)
}

function readPartial(name: string, partial: hbs.AST.PartialStatement, depth: number): TemplateNode {
  const { line } = partial.loc.start
  const target = partial.name
  if (!isKind(target, 'PathExpression')) return refuse(name, line, 'a partial whose name is computed')
  if (!/^[a-z][a-z0-9-]*$/.test(target.original)) refuse(name, line, 'a partial name of other than a-z, 0-9 and "-"')
  if (partial.params.length > 1) refuse(name, line, 'a partial takes at most one context')
  if (partial.indent.length > MAXIMUM_INDENT) refuse(name, line, `indented by more than ${MAXIMUM_INDENT}`)
  const [context] = partial.params
  return {
    kind: 'partial',
    name: target.original,
    context: context === undefined ? undefined : readExpression(name, context, depth + 1),
    added: pairs(partial.hash).map(({ key, value }) => {
      checkName(name, line, key)
      return [key, readExpression(name, value, depth + 1)] as const
    }),
    indent: partial.indent,
    line,
  }
}

function readExpression(name: string, node: hbs.AST.Expression, depth: number): Expression {
  const { line } = node.loc.start
  if (depth > MAXIMUM_DEPTH) refuse(name, line, `nested deeper than ${MAXIMUM_DEPTH}`)
  if (isKind(node, 'StringLiteral') || isKind(node, 'NumberLiteral') || isKind(node, 'BooleanLiteral')) {
    return { kind: 'literal', value: node.value }
  }
  if (isKind(node, 'SubExpression')) return readCall(name, node, depth)
  if (!isKind(node, 'PathExpression')) return refuse(name, line, `${node.type} is not part of the language`)
  for (const part of node.parts) checkName(name, line, part)
  if (isHelper(node.original)) refuse(name, line, `helper ${JSON.stringify(node.original)} without arguments`)
  const { data, parts, original } = node
  return { kind: 'path', depth: node.depth, data, scoped: /^(?:\.\/|this\b|\.$)/.test(original), parts, original, line }
}

/** `{{x}}` is a value; `{{helper x}}` and `(helper x)` are calls. */
function readCall(name: string, call: hbs.AST.MustacheStatement | hbs.AST.SubExpression, depth: number): Expression {
  const { line } = call.loc.start
  if (pairs(call.hash).length > 0) refuse(name, line, 'helpers take no named arguments')
  if (call.params.length === 0 && call.type === 'MustacheStatement') {
    if (!isKind(call.path, 'PathExpression')) return refuse(name, line, 'a value that is a literal')
    return readExpression(name, call.path, depth + 1)
  }
  const helper = isKind(call.path, 'PathExpression') ? call.path.original : ''
  if (!isHelper(helper)) return refuse(name, line, `helper ${JSON.stringify(helper.slice(0, 40))} does not exist`)
  const { least, most } = helperOf(helper)
  if (call.params.length < least || call.params.length > most) refuse(name, line, `helper ${helper}: argument count`)
  return { kind: 'call', helper, args: call.params.map((param) => readExpression(name, param, depth + 1)), line }
}

function pairs(hash: hbs.AST.Hash | undefined): readonly hbs.AST.HashPair[] {
  return hash?.pairs ?? []
}

function checkName(name: string, line: number, part: unknown): void {
  if (typeof part !== 'string' || REFUSED_NAMES.has(part)) refuse(name, line, 'a name that reaches for a prototype')
}

/** @throws {VmpkgError} `TEMPLATE_INVALID` always; line 0 stands for the whole template */
export function refuse(name: string, line: number, reason: string): never {
  const place = line === 0 ? '' : ` (line ${line})`
  throw new VmpkgError('TEMPLATE_INVALID', `Template ${JSON.stringify(name.slice(0, 120))}${place}: ${reason}`, {
    hint: 'See docs/templates.md for the language that templates may use.',
    details: { template: name, line },
  })
}
