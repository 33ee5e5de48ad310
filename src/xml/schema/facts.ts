/**
 * What libvirt's schemas know about each element: attributes, children, values, and since when. Generated from the schemas
 * of libvirt 9.0.0 and 11.3.0; names of other namespaces carry a prefix of ours (`qemu:commandline`).
 */
import { FACTS } from './facts-table.ts'
import type { XmlName } from './name-class.ts'

/** Root elements of the documents that the schemas are about. */
type DocumentKind =
  | 'domain'
  | 'network'
  | 'pool'
  | 'volume'
  | 'domainsnapshot'
  | 'domaincheckpoint'
  | 'domainbackup'
  | 'device'
  | 'capabilities'
  | 'domainCapabilities'
  | 'storagepoolCapabilities'
  | 'filter'
  | 'filterbinding'
  | 'secret'
  | 'interface'
  | 'networkport'

/**
 * First release: `9.2.0`; `<11.3.0` for "by 11.3.0, after 9.0.0"; empty for "by 9.0.0".
 * Source: the documentation of the formats in libvirt's source, and which of the two schemas know it.
 */
export type Since = string

export interface ValueFact {
  /** `=yes` for a word; `integer`, `integer 0 255`, `pattern …`, `text`, `name`, `uri`, `number`, `time` for others. */
  readonly form: string
  readonly since: Since
}

interface AttributeFact {
  readonly values: readonly ValueFact[]
  readonly since: Since
}

interface ChildFact {
  readonly type: number
  /** May stand more than once. */
  readonly many: boolean
  /** Since when it may stand more than once. */
  readonly manySince: Since
  readonly since: Since
  /** Place among its siblings as libvirt writes them. */
  readonly order: number
}

export interface ElementType {
  /** As in `DomainDevicesDisk`. */
  readonly name: string
  /** Values of its text; undefined where it has none. */
  readonly text: readonly ValueFact[] | undefined
  readonly attributes: ReadonlyMap<string, AttributeFact>
  readonly children: ReadonlyMap<string, ChildFact>
}

type ValueRow = readonly [form: string, since?: Since]
type TypeRow = readonly [
  name: string,
  text: number,
  attributes: readonly (readonly [name: string, kind: number, since: Since])[],
  children: readonly (readonly [name: string, type: number, many: 0 | 1 | 2, since: Since])[],
]

interface Table {
  readonly namespaces: Readonly<Record<string, string>>
  readonly roots: Readonly<Record<DocumentKind, number>>
  readonly kinds: readonly (readonly ValueRow[])[]
  readonly types: readonly TypeRow[]
}

/** The release that the newer schema is of. */
const MANY_SINCE = '<11.3.0'

let table: Table | undefined
const types = new Map<number, ElementType>()

function readTable(): Table {
  return (table ??= JSON.parse(FACTS) as Table)
}

/** Number of the root's type; undefined for a document that no schema is about. */
export function rootType(name: string): number | undefined {
  const { roots } = readTable()
  return Object.hasOwn(roots, name) ? roots[name as DocumentKind] : undefined
}

export function elementType(number: number): ElementType {
  const known = types.get(number)
  if (known !== undefined) return known
  const row = readTable().types[number]
  if (row === undefined) throw new RangeError(`no element type ${number}`)
  const [name, text, attributes, children] = row
  const made: ElementType = {
    name,
    text: text === -1 ? undefined : valuesOf(text),
    attributes: new Map(attributes.map(([attribute, kind, since]) => [attribute, { values: valuesOf(kind), since }])),
    children: new Map(
      children.map(([child, type, many, since], order) => [
        child,
        { type, many: many > 0, manySince: many === 2 ? MANY_SINCE : since, since, order },
      ]),
    ),
  }
  types.set(number, made)
  return made
}

/** The name under which the facts have an element or attribute. */
export function factName({ uri, local }: XmlName): string {
  if (uri === '') return local
  const prefix = Object.entries(readTable().namespaces).find(([, known]) => known === uri)?.[0]
  return prefix === undefined ? `{${uri}}${local}` : `${prefix}:${local}`
}

/** Namespace of a name of the facts; undefined for plain names. */
export function namespaceOf(name: string): { readonly prefix: string; readonly uri: string } | undefined {
  const prefix = name.slice(0, Math.max(name.indexOf(':'), 0))
  const uri = prefix === '' ? undefined : readTable().namespaces[prefix]
  return uri === undefined ? undefined : { prefix, uri }
}

function valuesOf(kind: number): readonly ValueFact[] {
  return (readTable().kinds[kind] ?? []).map(([form, since = '']) => ({ form, since }))
}
