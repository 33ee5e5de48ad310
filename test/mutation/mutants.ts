/**
 * Mutants of a source file, from its syntax tree: small changes that a test should notice. Texts for people (messages,
 * hints, details), types and regular expressions are left alone.
 *
 * Source: the operators of Stryker and PIT, those that say something about checks. The tree is oxc's (ESTree).
 */
import { parseSync } from 'oxc-parser'

export interface Mutant {
  readonly start: number
  readonly end: number
  readonly before: string
  readonly after: string
  /** Part of a longer `a?.b.c`: it cannot stand in parentheses. */
  readonly isInChain: boolean
  /** Where a parenthesis would go on with the line before: there are no semicolons. */
  readonly opensStatement: boolean
}

interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [key: string]: unknown
}

const BINARY: Readonly<Record<string, readonly string[]>> = {
  '<': ['<=', '>='],
  '<=': ['<', '>'],
  '>': ['>=', '<='],
  '>=': ['>', '<'],
  '===': ['!=='],
  '!==': ['==='],
  '+': ['-'],
  '-': ['+'],
  '*': ['/'],
  '/': ['*'],
  '%': ['*'],
  '&': ['|'],
  '|': ['&'],
  '^': ['&'],
  '<<': ['>>'],
  '>>': ['<<'],
}
/** Calls in a chain that narrow what comes before them. */
const NARROWING = new Set('min max refine filter slice subarray toSorted regex exactOptional trim catch'.split(' '))
/** A map, for a method may be named as one that every object has. */
const SWAPPED = new Map([
  ['some', 'every'],
  ['every', 'some'],
])
/** Members and arguments that are texts for people. */
const SPOKEN = new Set(['hint', 'details', 'cause', 'message', 'subject', 'path'])
const SPEAKING = /^(?:VmpkgError|TypeError|Error|RangeError|invalid|refuse|keyError|unsafe|clockWrong|rolledBack)$/

export function findMutants(path: string, text: string): readonly Mutant[] {
  const { program, errors } = parseSync(path, text)
  if (errors.length > 0) throw new Error(`${path} cannot be parsed: ${errors[0]?.message}`)
  const found = new Map<string, Mutant>()
  const chains: Node[] = []
  const statements = new Set<number>()
  const add = (node: Node, after: string): void => {
    const before = text.slice(node.start, node.end)
    if (before !== after) {
      const isInChain = chains.some(({ start, end }) => start <= node.start && node.end < end && isLink(node))
      found.set(`${node.start} ${node.end} ${after}`, {
        ...span(node),
        before,
        after,
        isInChain,
        opensStatement: statements.has(node.start),
      })
    }
  }
  visit(program as unknown as Node, undefined, (node, parent) => {
    if (node.type === 'ChainExpression') chains.push(node)
    if (node.type === 'ExpressionStatement') statements.add(node.start)
    mutate(node, parent, add, text)
  })
  return [...found.values()].toSorted((a, b) => a.start - b.start || a.end - b.end)
}

function mutate(node: Node, parent: Node | undefined, add: (node: Node, after: string) => void, text: string): void {
  const source = (part: Node): string => text.slice(part.start, part.end)
  switch (node.type) {
    case 'IfStatement':
    case 'ConditionalExpression':
      for (const value of ['true', 'false']) add(child(node, 'test'), value)
      break
    case 'WhileStatement':
      add(child(node, 'test'), 'false')
      break
    case 'BinaryExpression': {
      const [left, right] = [child(node, 'left'), child(node, 'right')]
      for (const operator of BINARY[String(node['operator'])] ?? []) {
        add(node, `${source(left)} ${operator} ${source(right)}`)
      }
      break
    }
    case 'LogicalExpression':
      add(node, source(child(node, 'left')))
      add(node, `(${source(child(node, 'right'))})`)
      break
    case 'UnaryExpression':
      if (node['operator'] === '!') add(node, `(${source(child(node, 'argument'))})`)
      break
    case 'ThrowStatement':
      add(node, ';')
      break
    case 'ExpressionStatement': {
      const { type } = child(node, 'expression')
      if (['CallExpression', 'AwaitExpression', 'AssignmentExpression'].includes(type)) add(node, ';')
      break
    }
    case 'ArrayExpression':
      if ((node['elements'] as readonly unknown[]).length > 0) add(node, '[]')
      break
    case 'CallExpression':
      mutateCall(node, add, source)
      break
    case 'ChainExpression':
      if (source(node).includes('?.')) add(node, source(node).replaceAll('?.(', '(').replaceAll('?.', '.'))
      break
    case 'Literal':
      mutateLiteral(node, parent, add)
      break
  }
}

function mutateCall(node: Node, add: (node: Node, after: string) => void, source: (child: Node) => string): void {
  const callee = child(node, 'callee')
  if (callee.type !== 'MemberExpression') return
  const name = source(child(callee, 'property'))
  const object = source(child(callee, 'object'))
  if (NARROWING.has(name)) add(node, object)
  const swapped = SWAPPED.get(name)
  if (swapped !== undefined)
    add(
      node,
      source(node).replace(`${object}.${name}`, () => `${object}.${swapped}`),
    )
}

function mutateLiteral(node: Node, parent: Node | undefined, add: (node: Node, after: string) => void): void {
  const { value } = node
  if (parent?.type === 'MemberExpression' && parent['computed'] !== true) return
  if (typeof value === 'number') add(node, String(value + 1))
  else if (typeof value === 'boolean') add(node, String(!value))
  else if (typeof value === 'string' && value !== '') add(node, "''")
}

function visit(node: Node, parent: Node | undefined, use: (node: Node, parent: Node | undefined) => void): void {
  if (node.type.startsWith('TS') && !['TSAsExpression', 'TSSatisfiesExpression'].includes(node.type)) return
  if (['ImportDeclaration', 'ExportAllDeclaration', 'TemplateElement'].includes(node.type)) return
  use(node, parent)
  const isSpeech = isSpeaking(node)
  for (const [key, value] of Object.entries(node)) {
    if (key === 'typeAnnotation' || (key === 'key' && node['computed'] !== true)) continue
    for (const [i, item] of (Array.isArray(value) ? value : [value]).entries()) {
      if (!isNode(item) || (isSpeech && key === 'arguments' && isText(item, i)) || isSpokenMember(item)) continue
      visit(item, node, use)
    }
  }
}

function isSpeaking(node: Node): boolean {
  if (node.type !== 'CallExpression' && node.type !== 'NewExpression') return false
  const callee = child(node, 'callee')
  return callee.type === 'Identifier' && SPEAKING.test(String(callee['name']))
}

/** Of the arguments of an error, all but its code. */
function isText(node: Node, at: number): boolean {
  return !(at === 0 && node.type === 'Literal' && /^[A-Z]+(_[A-Z]+)*$/.test(String(node['value'])))
}

function isSpokenMember(node: Node): boolean {
  return node.type === 'Property' && SPOKEN.has(String(child(node, 'key')['name']))
}

function span({ start, end }: Node): Pick<Mutant, 'start' | 'end'> {
  return { start, end }
}

function child(node: Node, key: string): Node {
  const found = node[key]
  if (!isNode(found)) throw new TypeError(`${node.type} has no ${key}`)
  return found
}

function isLink({ type }: Node): boolean {
  return type === 'CallExpression' || type === 'MemberExpression'
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value
}
