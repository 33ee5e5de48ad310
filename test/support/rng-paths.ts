/**
 * Every path of elements and attributes that a RELAX NG schema in XML form knows: `domain/devices/disk`,
 * `domain/devices/disk/@type`. A small walker of its own, apart from `src/xml/schema`, so that a test of one does not
 * stand on the other. Source of the forms: RELAX NG specification, sections 3 and 4 (full syntax, simplification).
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { childElements, getAttribute, getText } from '../../src/xml/find.ts'
import { parseXml } from '../../src/xml/parse.ts'
import type { XmlElement } from '../../src/xml/tree.ts'

/** Prefixes that libvirt's documents use for namespaces, by the last part of the URI that tells them apart. */
const PREFIXES: readonly (readonly [RegExp, string])[] = [
  [/\/domain\/qemu\/|\/network\/qemu\//, 'qemu:'],
  [/\/domain\/(lxc|bhyve|vmware|xen|ch)\//, '$1:'],
  [/\/network\/dnsmasq\//, 'dnsmasq:'],
]

interface Scope {
  readonly defines: ReadonlyMap<string, readonly XmlElement[]>
  readonly paths: Set<string>
}

/** @param file name of the schema (`domain.rng`) in `folder`; includes are followed there */
export function rngPaths(folder: string, file: string): ReadonlySet<string> {
  const defines = new Map<string, XmlElement[]>()
  const starts: XmlElement[] = []
  load(folder, file, defines, starts, new Set())
  const scope: Scope = { defines, paths: new Set() }
  for (const start of starts) for (const child of childElements(start)) walk(scope, child, '', [], '')
  return scope.paths
}

function load(
  folder: string,
  file: string,
  defines: Map<string, XmlElement[]>,
  starts: XmlElement[],
  seen: Set<string>,
): void {
  if (seen.has(file)) return
  seen.add(file)
  collect(parseXml(readFileSync(join(folder, file), 'utf8')).root)
  function collect(grammar: XmlElement): void {
    for (const child of childElements(grammar)) {
      const name = getAttribute(child, 'name') ?? ''
      if (child.name === 'include') {
        load(folder, getAttribute(child, 'href') ?? '', defines, starts, seen)
        // What an include holds replaces what the file defines.
        for (const inner of childElements(child)) {
          if (inner.name === 'define') defines.set(getAttribute(inner, 'name') ?? '', [inner])
          if (inner.name === 'start') starts.splice(0, starts.length, inner)
        }
      } else if (child.name === 'define') defines.set(name, [...(defines.get(name) ?? []), child])
      else if (child.name === 'start') starts.push(child)
      else if (child.name === 'div') collect(child)
    }
  }
}

function walk(scope: Scope, node: XmlElement, path: string, stack: readonly XmlElement[], ns: string): void {
  const inner = getAttribute(node, 'ns') ?? ns
  if (node.name === 'ref' || node.name === 'parentRef') {
    const bodies = scope.defines.get(getAttribute(node, 'name') ?? '') ?? []
    for (const body of bodies) {
      if (!stack.includes(body)) {
        for (const child of childElements(body)) walk(scope, child, path, [...stack, body], ns)
      } else for (const name of topElements(scope, body, new Set())) scope.paths.add(joined(path, name))
    }
    return
  }
  if (node.name === 'element' || node.name === 'attribute') {
    const mark = node.name === 'attribute' ? '@' : ''
    // An attribute is in no namespace unless it says so itself.
    const nameSpace = node.name === 'attribute' ? (getAttribute(node, 'ns') ?? '') : inner
    for (const name of namesOf(node, nameSpace)) {
      const next = joined(path, mark + name)
      scope.paths.add(next)
      if (node.name === 'attribute') continue
      for (const child of childElements(node)) walk(scope, child, next, stack, inner)
    }
    return
  }
  if (
    ['value', 'data', 'param', 'except', 'name', 'anyName', 'nsName', 'text', 'empty', 'notAllowed'].includes(node.name)
  )
    return
  for (const child of childElements(node)) walk(scope, child, path, stack, inner)
}

/** Names of elements that a recursive definition begins with. */
function topElements(scope: Scope, node: XmlElement, seen: Set<XmlElement>): string[] {
  if (seen.has(node)) return []
  seen.add(node)
  if (node.name === 'element') return namesOf(node, getAttribute(node, 'ns') ?? '')
  if (node.name === 'ref') {
    return (scope.defines.get(getAttribute(node, 'name') ?? '') ?? []).flatMap((body) => topElements(scope, body, seen))
  }
  return childElements(node).flatMap((child) => topElements(scope, child, seen))
}

function namesOf(node: XmlElement, ns: string): string[] {
  const name = getAttribute(node, 'name')
  if (name !== undefined) return [prefixed(name.trim(), ns)]
  const [first] = childElements(node)
  return first === undefined ? [] : classNames(first, ns)
}

function classNames(node: XmlElement, ns: string): string[] {
  if (node.name === 'name') return [prefixed(getText(node).trim(), getAttribute(node, 'ns') ?? ns)]
  if (node.name === 'choice') return childElements(node).flatMap((child) => classNames(child, ns))
  return ['*']
}

function prefixed(name: string, ns: string): string {
  if (ns === '') return name
  const found = PREFIXES.find(([pattern]) => pattern.test(ns))
  if (found === undefined) throw new Error(`no prefix is known for the namespace ${ns}`)
  const match = found[0].exec(ns)
  return found[1].replace('$1', match?.[1] ?? '') + name
}

function joined(path: string, name: string): string {
  return path === '' ? name : `${path}/${name}`
}
