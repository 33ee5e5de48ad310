/** What a document has that came to libvirt after the release of the target. Pure. */
import { VmpkgError } from '../../errors.ts'
import { getAttribute, getText } from '../find.ts'
import type { XmlDocument, XmlElement } from '../tree.ts'
import { type DataType, makeDataType } from './data-type.ts'
import { type ElementType, elementType, factName, rootType, type Since, type ValueFact } from './facts.ts'
import {
  declaredBy,
  isDeclaration,
  type Namespaces,
  NO_NAMESPACES,
  resolveAttributeName,
  resolveElementName,
} from './namespaces.ts'

export interface VersionNeed {
  /** As in `domain/devices/disk/driver/@discard_no_unref`, or with the value: `…/@type="sev-snp"`. */
  readonly path: string
  /** First release that has it. */
  readonly since: string
  /** False where it is known only that this release has it and 9.0.0 had it not. */
  readonly isExact: boolean
}

/**
 * Everything newer than libvirt `version` (`9.0.0`), in document order; elements that the facts do not know are passed over.
 * What is inside something too new is not named once more.
 */
export function requiredVersion(document: XmlDocument, version: string): readonly VersionNeed[] {
  const { root } = document
  const start = rootType(root.name)
  const needs: VersionNeed[] = []
  if (start !== undefined) visit(root, start, root.name, NO_NAMESPACES)
  return needs

  function visit(element: XmlElement, number: number, path: string, outer: Namespaces): void {
    const type = elementType(number)
    const namespaces = declaredBy(element, outer)
    for (const { name } of element.attributes) {
      if (!isDeclaration(name)) attribute(element, name, type, path, namespaces)
    }
    if (type.text !== undefined) value(type.text, getText(element), path)
    const seen = new Set<string>()
    for (const child of element.children) {
      if (child.type !== 'element') continue
      const name = factName(resolveElementName(child.name, declaredBy(child, namespaces)))
      const fact = type.children.get(name)
      if (fact === undefined) continue
      const since = seen.has(name) && fact.manySince !== '' ? fact.manySince : fact.since
      seen.add(name)
      if (!need(`${path}/${name}`, since)) visit(child, fact.type, `${path}/${name}`, namespaces)
    }
  }

  function attribute(element: XmlElement, name: string, type: ElementType, path: string, namespaces: Namespaces): void {
    const fact = type.attributes.get(factName(resolveAttributeName(name, namespaces)))
    if (fact === undefined || need(`${path}/@${name}`, fact.since)) return
    value(fact.values, getAttribute(element, name) ?? '', `${path}/@${name}`)
  }

  /** A value is as old as the oldest kind that it is of. */
  function value(values: readonly ValueFact[], text: string, path: string): void {
    const fitting = values.filter(({ form }) => isOfForm(text, form))
    if (fitting.length === 0 || fitting.some(({ since }) => !isNewer(since, version))) return
    for (const { since } of fitting.slice(0, 1)) need(`${path}=${JSON.stringify(text)}`, since)
  }

  function need(path: string, since: Since): boolean {
    const newer = isNewer(since, version)
    if (newer) needs.push({ path, since: since.replace('<', ''), isExact: !since.startsWith('<') })
    return newer
  }
}

/**
 * Refuses what is surely newer than the target. What may be newer is left to the target's own schema.
 * @throws {VmpkgError} `HOST_UNSUPPORTED` with every need in its details
 */
export function requireRelease(document: XmlDocument, version: string): void {
  const needs = requiredVersion(document, version).filter(({ isExact }) => isExact)
  const [first] = needs
  if (first === undefined) return
  const newest = needs
    .map(({ since }) => since)
    .toSorted(compareReleases)
    .at(-1)
  const others = needs.length === 1 ? '' : ` and ${needs.length - 1} more`
  throw new VmpkgError(
    'HOST_UNSUPPORTED',
    `${first.path}${others} needs libvirt ${newest ?? first.since}, and this host has ${version}`,
    {
      hint: 'Use a host with a newer libvirt, or leave this out of the template.',
      details: { libvirt: version, needs },
    },
  )
}

function isOfForm(text: string, form: string): boolean {
  const [word = '', minimum, maximum] = form.split(' ')
  if (form.startsWith('=')) return form.slice(1) === text
  if (word === 'pattern') return patternType(form.slice(8)).accepts(text)
  if (word !== 'integer') return true
  const limits = [['minInclusive', minimum] as const, ['maxInclusive', maximum] as const]
  const given = limits.flatMap(([name, limit]) => (limit === undefined || limit === '' ? [] : [[name, limit] as const]))
  return makeDataType('integer', given).accepts(text)
}

const patternTypes = new Map<string, DataType>()

function patternType(pattern: string): DataType {
  const type = patternTypes.get(pattern) ?? makeDataType('string', [['pattern', pattern]])
  patternTypes.set(pattern, type)
  return type
}

function isNewer(since: Since, version: string): boolean {
  return since !== '' && compareReleases(since.replace('<', ''), version) > 0
}

/** Releases of libvirt are three numbers. */
function compareReleases(left: string, right: string): number {
  const [a, b] = [left.split('.').map(Number), right.split('.').map(Number)]
  for (let at = 0; at < 3; at += 1) if (a[at] !== b[at]) return (a[at] ?? 0) - (b[at] ?? 0)
  return 0
}
