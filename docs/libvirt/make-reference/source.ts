/** TypeScript source as the reference needs it: top-level declarations of a file, with the comment before each node. */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import {
  type Class,
  type Comment,
  type Expression,
  type Program,
  parseSync,
  type TSInterfaceDeclaration,
  type TSTypeAliasDeclaration,
} from 'oxc-parser'

/** What a documentation comment says. */
export interface Doc {
  readonly text: string
  /** The text after each `@throws`. */
  readonly throws: readonly string[]
  readonly isInternal: boolean
}

export type Declaration = Class | TSInterfaceDeclaration | TSTypeAliasDeclaration

/** An expression with the file it stands in: names in it are that file's. */
export interface Located {
  readonly expression: Expression
  readonly file: SourceFile
  /** The comment of the declaration it was found under. */
  readonly doc: Doc | undefined
}

export class SourceFile {
  readonly path: string
  readonly text: string
  readonly #comments: readonly Comment[]
  readonly #constants = new Map<string, { readonly init: Expression; readonly doc: Doc | undefined }>()
  readonly #declarations = new Map<string, { readonly node: Declaration; readonly doc: Doc | undefined }>()
  readonly #imports = new Map<string, { readonly path: string; readonly name: string }>()
  readonly #files: SourceFiles

  constructor(path: string, files: SourceFiles) {
    this.path = path
    this.#files = files
    this.text = readFileSync(path, 'utf8')
    const { program, comments, errors } = parseSync(path, this.text)
    if (errors[0] !== undefined) throw new Error(`${path} cannot be parsed: ${errors[0].message}`)
    this.#comments = comments
    for (const statement of program.body) this.#read(statement)
  }

  /** The comment at the head of the file: what all of it is about. */
  get head(): Doc | undefined {
    const [first] = this.#comments
    return first !== undefined && this.text.slice(0, first.start).trim() === '' ? parseDoc(first.value) : undefined
  }

  /** The documentation comment that ends right before a node. */
  docBefore(start: number): Doc | undefined {
    const comment = this.#comments.findLast(
      (one) => one.type === 'Block' && one.value.startsWith('*') && one.end <= start,
    )
    return comment !== undefined && this.text.slice(comment.end, start).trim() === ''
      ? parseDoc(comment.value)
      : undefined
  }

  /** A class, interface or type alias of this file. */
  declaration(name: string): { readonly node: Declaration; readonly doc: Doc | undefined } {
    const found = this.#declarations.get(name)
    if (found === undefined) throw new Error(`${this.path} declares no ${name}`)
    return found
  }

  /** What a name stands for, in whichever file it is defined; nothing for what is not a constant of this folder. */
  constant(name: string): Located | undefined {
    const own = this.#constants.get(name)
    if (own !== undefined) return { expression: own.init, file: this, doc: own.doc }
    const from = this.#imports.get(name)
    return from === undefined ? undefined : this.#files.file(from.path).constant(from.name)
  }

  #read(statement: Program['body'][number]): void {
    const node = statement.type === 'ExportNamedDeclaration' ? statement.declaration : statement
    const doc = this.docBefore(statement.start)
    if (statement.type === 'ImportDeclaration' && statement.source.value.startsWith('.'))
      for (const one of statement.specifiers) {
        if (one.type === 'ImportSpecifier' && one.imported.type === 'Identifier')
          this.#imports.set(one.local.name, {
            path: join(dirname(this.path), statement.source.value),
            name: one.imported.name,
          })
      }
    else if (node?.type === 'VariableDeclaration')
      for (const { id, init } of node.declarations) {
        if (id.type === 'Identifier' && init !== null) this.#constants.set(id.name, { init, doc })
      }
    else if (
      (node?.type === 'ClassDeclaration' ||
        node?.type === 'TSInterfaceDeclaration' ||
        node?.type === 'TSTypeAliasDeclaration') &&
      node.id !== null
    )
      this.#declarations.set(node.id.name, { node, doc })
  }
}

/** Files are read once. */
export class SourceFiles {
  readonly #files = new Map<string, SourceFile>()

  file(path: string): SourceFile {
    const known = this.#files.get(path)
    if (known !== undefined) return known
    const file = new SourceFile(path, this)
    this.#files.set(path, file)
    return file
  }
}

function parseDoc(comment: string): Doc {
  const lines = comment.split('\n').map((line) => line.replace(/^\s*\*+ ?/, '').trimEnd())
  const [text = '', ...tags] = lines.join('\n').split(/^@/m)
  const throws = tags.filter((tag) => tag.startsWith('throws')).map((tag) => joined(tag.slice('throws'.length)))
  return { text: joined(text), throws, isInternal: tags.some((tag) => tag.startsWith('internal')) }
}

/** One line a paragraph; lists keep their lines. */
function joined(text: string): string {
  return text
    .replaceAll(/\{@link (\w+)\}/g, '`$1`')
    .trim()
    .replaceAll(/([^\n])\n(?!\n|- )/g, '$1 ')
}
