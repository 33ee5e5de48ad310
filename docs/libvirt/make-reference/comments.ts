/**
 * The comments of the procedure tables by name: of a row, its arguments, its result, and of their flags and choices.
 * Codecs are made by nested calls (`list(struct({ … }))`) of constants from any file, so the comments are found by
 * following the expression; what the codec is comes from the codec itself.
 */
import type { CallExpression, Expression, ObjectExpression } from 'oxc-parser'
import type { Doc, Located, SourceFile } from './source.ts'

/** The commented names of an expression: fields of a struct, flags, choices, parameters, rows of a table. */
export type Names = ReadonlyMap<string, Named>

export interface Named {
  readonly doc: Doc | undefined
  /** Names inside of it. */
  readonly names: () => Names
  /** The expression itself, for rows. */
  readonly value: Located
}

/** Files whose comments explain codecs to who writes a table, not values to who calls a method. */
const OF_CODECS = /\/(codecs|references|parameters)\.ts$/

export const noNames: Names = new Map()

/** Names within an expression, whatever it is wrapped in. */
export function namesIn(located: Located | undefined): Names {
  if (located === undefined) return noNames
  const { file } = located
  const expression = bare(located.expression)
  if (expression.type === 'ObjectExpression') return ofObject(expression, file)
  if (expression.type === 'CallExpression') return ofCall(expression, file)
  const target = followed({ ...located, expression })
  return target === undefined ? noNames : namesIn(target)
}

/**
 * The arguments and the result of a row, as `call('NAME', 1, '0.1.0', { … }, { … })` has them after its literals. Where
 * the last is no object but a codec, it is that of `params`.
 */
export function rowNames(row: Located): readonly [Names, Names] {
  const expression = bare(row.expression)
  if (expression.type !== 'CallExpression') throw new Error(`${row.file.path} has a row that is not a call`)
  const [args, result] = expression.arguments.filter((one) => one.type !== 'Literal')
  const names = (one: CallExpression['arguments'][number] | undefined): Names =>
    one === undefined || one.type === 'SpreadElement' ? noNames : namesIn(at(one, row.file))
  const isCounted = expression.callee.type === 'Identifier' && expression.callee.name === 'countedCall'
  const value = { ...row, doc: undefined }
  return [
    names(args),
    isCounted ? new Map([['params', { doc: undefined, names: () => names(result), value }]]) : names(result),
  ]
}

/** A table by its groups: each object literal that was spread into it, and its own rows. */
export interface Group {
  /** Name of the constant. */
  readonly name: string
  readonly doc: Doc | undefined
  readonly rows: Names
}

export function groupsOf(name: string, file: SourceFile): readonly Group[] {
  const table = file.constant(name)
  if (table === undefined) throw new Error(`${file.path} has no ${name}`)
  const object = bare(table.expression)
  if (object.type !== 'ObjectExpression') throw new Error(`${name} of ${file.path} is not an object literal`)
  const spread = object.properties.flatMap((property) =>
    property.type === 'SpreadElement' && property.argument.type === 'Identifier'
      ? groupsOf(property.argument.name, table.file)
      : [],
  )
  const own = object.properties.filter((property) => property.type === 'Property')
  if (own.length === 0) return spread
  const rows = ofObject({ ...object, properties: own }, table.file)
  return [...spread, { name, doc: table.doc ?? table.file.head, rows }]
}

function ofObject(object: ObjectExpression, file: SourceFile): Names {
  const names = new Map<string, Named>()
  for (const property of object.properties) {
    if (property.type === 'SpreadElement') {
      for (const [name, named] of namesIn(at(property.argument, file))) names.set(name, named)
      continue
    }
    const { key } = property
    const name = key.type === 'Literal' ? String(key.value) : key.type === 'Identifier' ? key.name : undefined
    if (name === undefined) throw new Error(`${file.path} has a computed name in a table`)
    const value = at(property.value, file)
    names.set(name, {
      doc: file.docBefore(property.start) ?? docOfConstant(followed(value)),
      names: () => namesIn(value),
      value,
    })
  }
  return names
}

/** `choice` lists its names as arguments; every other maker passes on those of what it is given. */
function ofCall(expression: CallExpression, file: SourceFile): Names {
  const names = new Map<string, Named>()
  const isChoice = expression.callee.type === 'Identifier' && expression.callee.name === 'choice'
  for (const argument of expression.arguments) {
    if (isChoice && argument.type === 'Literal')
      names.set(String(argument.value), {
        doc: file.docBefore(argument.start),
        names: () => noNames,
        value: at(argument, file),
      })
    else if (argument.type !== 'SpreadElement')
      for (const [name, named] of namesIn(at(argument, file))) names.set(name, named)
  }
  return names
}

function docOfConstant(target: Located | undefined): Doc | undefined {
  return target === undefined || OF_CODECS.test(target.file.path) ? undefined : target.doc
}

/** What a name, or a member of a named object, stands for. */
function followed({ expression, file }: Located): Located | undefined {
  if (expression.type === 'Identifier') return file.constant(expression.name)
  if (expression.type !== 'MemberExpression' || expression.computed) return undefined
  const { object, property } = expression
  return property.type === 'Identifier' ? namesIn(at(object, file)).get(property.name)?.value : undefined
}

function bare(expression: Expression): Expression {
  return expression.type === 'TSAsExpression' ||
    expression.type === 'TSSatisfiesExpression' ||
    expression.type === 'ParenthesizedExpression'
    ? bare(expression.expression)
    : expression
}

function at(expression: Expression, file: SourceFile): Located {
  return { expression, file, doc: undefined }
}
