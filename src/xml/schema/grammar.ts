/**
 * Reads RELAX NG in its XML syntax into patterns: includes with overrides, `combine`, nested grammars, namespaces, data
 * types. Content of elements is compiled when a document first gets there, so a schema costs what is used of it.
 * Source: RELAX NG specification, sections 3 and 4. Pure: the texts of all files are handed in.
 */
import { VmpkgError } from '../../errors.ts'
import { childElements, getAttribute, getText } from '../find.ts'
import { readSource } from '../source.ts'
import type { XmlElement } from '../tree.ts'
import { collapseSpace, type DataType, makeDataType } from './data-type.ts'
import type { NameClass } from './name-class.ts'
import { type Pattern, PatternTable } from './pattern.ts'

export interface Schema {
  readonly table: PatternTable
  readonly start: Pattern
}

/**
 * @param readFile the text of a schema file by its name (`domain.rng`), undefined where there is none
 * @param file the one to begin with
 * @throws {VmpkgError} `SCHEMA_UNUSABLE` `XML_INVALID`
 */
export function readSchema(readFile: (name: string) => string | undefined, file: string): Schema {
  const reader = new GrammarReader(readFile)
  return { table: reader.table, start: reader.start(file) }
}

/** Where a node of a schema stands: attributes that hold for everything below, and the definitions it may name. */
interface Place {
  readonly scope: Scope
  readonly uri: string
  readonly library: string
}

interface Component {
  readonly node: XmlElement
  readonly place: Place
}

/** One grammar after its includes: `start` is kept under the empty name. */
interface Scope {
  readonly components: Map<string, Component[]>
  readonly compiled: Map<string, Pattern | 'open'>
  readonly outer: Scope | undefined
}

class GrammarReader {
  readonly table = new PatternTable()
  readonly #readFile: (name: string) => string | undefined
  readonly #types = new Map<string, DataType>()

  constructor(readFile: (name: string) => string | undefined) {
    this.#readFile = readFile
  }

  start(file: string): Pattern {
    return this.#grammar(this.#parse(file), '', '', undefined)
  }

  #parse(file: string): XmlElement {
    const text = this.#readFile(file)
    if (text === undefined) throw invalid(`there is no ${file}`)
    const { root } = readSource(text).document
    if (root.name !== 'grammar') throw invalid(`${file} holds no grammar`)
    return root
  }

  #grammar(node: XmlElement, uri: string, library: string, outer: Scope | undefined): Pattern {
    const scope: Scope = { components: new Map(), compiled: new Map(), outer }
    this.#collect(node, { scope, uri, library }, new Set())
    return this.#define('', scope)
  }

  #collect(grammar: XmlElement, outer: Place, hidden: ReadonlySet<string>): void {
    const place = placeOf(grammar, outer)
    for (const node of childElements(grammar)) {
      if (node.name === 'div') this.#collect(node, place, hidden)
      else if (node.name === 'include') this.#include(node, place, hidden)
      else if (node.name === 'define' || node.name === 'start') {
        const name = node.name === 'start' ? '' : nameOf(node)
        if (hidden.has(name)) continue
        const known = place.scope.components.get(name)
        if (known === undefined) place.scope.components.set(name, [{ node, place }])
        else known.push({ node, place })
      } else throw invalid(`<${node.name}> stands directly in a grammar`)
    }
  }

  #include(node: XmlElement, outer: Place, hidden: ReadonlySet<string>): void {
    const overrides = childElements(node)
    const own = new Set([...hidden, ...overrides.map((child) => (child.name === 'start' ? '' : nameOf(child)))])
    this.#collect(this.#parse(getAttribute(node, 'href') ?? ''), { ...outer, uri: '', library: '' }, own)
    this.#collect(node, outer, hidden)
  }

  #define(name: string, scope: Scope): Pattern {
    const known = scope.compiled.get(name)
    if (known === 'open') throw invalid(`the definition ${JSON.stringify(name)} holds itself`)
    if (known !== undefined) return known
    const components = scope.components.get(name)
    if (components === undefined) throw invalid(`there is no definition ${JSON.stringify(name)}`)
    scope.compiled.set(name, 'open')
    const parts = components.map(({ node, place }) => this.#group(node, placeOf(node, place)))
    const combine = components.map(({ node }) => getAttribute(node, 'combine')).find((word) => word !== undefined)
    const pattern = combine === 'interleave' ? this.table.interleave(parts) : this.table.choice(parts)
    scope.compiled.set(name, pattern)
    return pattern
  }

  #group(node: XmlElement, place: Place): Pattern {
    return this.table.group(childElements(node).map((child) => this.#pattern(child, place)))
  }

  #pattern(node: XmlElement, outer: Place): Pattern {
    const { table } = this
    const place = placeOf(node, outer)
    const inside = (): Pattern => this.#group(node, place)
    switch (node.name) {
      case 'element': {
        const { name, content } = named(node, place, place.uri)
        let compiled: Pattern | undefined
        return table.element(
          name,
          () => (compiled ??= table.group(content.map((child) => this.#pattern(child, place)))),
        )
      }
      case 'attribute': {
        // A name written as an attribute is in no namespace unless `ns` stands beside it (section 4.8).
        const { name, content } = named(node, place, getAttribute(node, 'ns') ?? '')
        const value = content.map((child) => this.#pattern(child, place))
        return table.attribute(name, value.length === 0 ? table.text : table.group(value))
      }
      case 'group':
        return inside()
      case 'interleave':
        return table.interleave(childElements(node).map((child) => this.#pattern(child, place)))
      case 'choice':
        return table.choice(childElements(node).map((child) => this.#pattern(child, place)))
      case 'optional':
        return table.choice([inside(), table.empty])
      case 'zeroOrMore':
        return table.choice([table.oneOrMore(inside()), table.empty])
      case 'oneOrMore':
        return table.oneOrMore(inside())
      case 'mixed':
        return table.interleave([inside(), table.text])
      case 'list':
        return table.list(inside())
      case 'ref':
        return this.#define(nameOf(node), place.scope)
      case 'parentRef':
        if (place.scope.outer === undefined) throw invalid('a parentRef without a grammar around it')
        return this.#define(nameOf(node), place.scope.outer)
      case 'grammar':
        return this.#grammar(node, outer.uri, outer.library, place.scope)
      case 'empty':
        return table.empty
      case 'text':
        return table.text
      case 'notAllowed':
        return table.notAllowed
      case 'value': {
        const type = getAttribute(node, 'type')
        return table.value(this.#type(type ?? 'token', type === undefined ? '' : place.library, []), getText(node))
      }
      case 'data':
        return this.#data(node, place)
      default:
        throw invalid(`the schema uses <${node.name}>, which vmpkg does not know`)
    }
  }

  #data(node: XmlElement, place: Place): Pattern {
    const children = childElements(node)
    const parameters = children
      .filter(({ name }) => name === 'param')
      .map((child) => [nameOf(child), getText(child)] as const)
    const except = children.find(({ name }) => name === 'except')
    return this.table.data(
      this.#type(getAttribute(node, 'type') ?? '', place.library, parameters),
      except && this.table.choice(childElements(except).map((child) => this.#pattern(child, placeOf(except, place)))),
    )
  }

  #type(name: string, library: string, parameters: readonly (readonly [string, string])[]): DataType {
    if (library === '' && name !== 'string' && name !== 'token') throw invalid(`${name} is in no library of types`)
    const key = JSON.stringify([name, parameters])
    const type = this.#types.get(key) ?? makeDataType(name, parameters)
    this.#types.set(key, type)
    return type
  }
}

function placeOf(node: XmlElement, outer: Place): Place {
  const uri = getAttribute(node, 'ns')
  const library = getAttribute(node, 'datatypeLibrary')
  if (uri === undefined && library === undefined) return outer
  return { scope: outer.scope, uri: uri ?? outer.uri, library: library ?? outer.library }
}

/** Name and content of an element or attribute: the name is an attribute, or the first child is a class of names. */
function named(node: XmlElement, place: Place, uri: string): { name: NameClass; content: readonly XmlElement[] } {
  const children = childElements(node)
  const local = getAttribute(node, 'name')
  if (local !== undefined) return { name: { kind: 'name', uri, local: collapseSpace(local) }, content: children }
  const [first, ...content] = children
  if (first === undefined) throw invalid(`<${node.name}> without a name`)
  return { name: nameClass(first, place), content }
}

function nameClass(node: XmlElement, outer: Place): NameClass {
  const place = placeOf(node, outer)
  const children = childElements(node)
  const hidden = children.find(({ name }) => name === 'except')
  const except: NameClass | undefined = hidden && {
    kind: 'choice',
    of: childElements(hidden).map((child) => nameClass(child, placeOf(hidden, place))),
  }
  if (node.name === 'anyName') return { kind: 'any', except }
  if (node.name === 'nsName') return { kind: 'namespace', uri: place.uri, except }
  if (node.name === 'choice') return { kind: 'choice', of: children.map((child) => nameClass(child, place)) }
  if (node.name !== 'name') throw invalid(`<${node.name}> where a name is wanted`)
  return { kind: 'name', uri: place.uri, local: collapseSpace(getText(node)) }
}

function nameOf(node: XmlElement): string {
  return collapseSpace(getAttribute(node, 'name') ?? '')
}

function invalid(what: string): VmpkgError {
  return new VmpkgError('SCHEMA_UNUSABLE', `Not a usable schema: ${what}`, {
    hint: 'Reinstall the package that holds libvirt’s schemas (libvirt0 or libvirt-common).',
  })
}
