/**
 * What a new rendering would change in a definition, by meaning. libvirt fills in addresses, controllers, aliases and
 * defaults, and users edit: with the former rendering and libvirt's text of it at hand the change is told apart from both,
 * as an upgrade does (docs/decisions/0007-definitions-are-merged.md). Without them what only the definition has may be of
 * libvirt, of the user or of a former rendering, so it is passed over: only what the rendering says counts.
 */
import { diffXml, type XmlChange } from '../xml/diff.ts'
import { childElements } from '../xml/find.ts'
import type { MergeConflict } from '../xml/merge.ts'
import { parseXml } from '../xml/parse.ts'
import { DERIVED, mergeDefinition } from './merge-definition.ts'

export interface BaseDefinition {
  /** Our former rendering and how libvirt wrote it down. */
  readonly rendered: string
  readonly defined: string
}

export type DefinitionChange = Pick<XmlChange, 'kind' | 'node' | 'path' | 'before' | 'after'>

export interface DefinitionComparison {
  readonly changes: readonly DefinitionChange[]
  /** What both the rendering and the user changed. */
  readonly conflicts: readonly MergeConflict[]
  /** False where only what the rendering says was compared. */
  readonly isWhole: boolean
  /** True where the definition holds edits of the user, which stay. */
  readonly isEdited: boolean
}

/** @throws {VmpkgError} `XML_INVALID` */
export function compareDefinition(current: string, next: string, base?: BaseDefinition): DefinitionComparison {
  if (base === undefined) {
    const changes = diff(current, next).filter(({ kind }) => kind === 'added' || kind === 'changed')
    return { changes, conflicts: [], isWhole: false, isEdited: false }
  }
  const { rendered, defined } = base
  const { xml, conflicts, isEdited } = mergeDefinition({ rendered, defined, current, next })
  // libvirt derives these anew from what is beside them: their own change is no news.
  const said = new Set(childElements(parseXml(rendered).root).map(({ name }) => name))
  const isDerived = ({ kind, path }: DefinitionChange): boolean =>
    kind === 'removed' && DERIVED.includes(path) && !said.has(path)
  return { changes: diff(current, xml).filter((one) => !isDerived(one)), conflicts, isWhole: true, isEdited }
}

function diff(before: string, after: string): readonly DefinitionChange[] {
  return diffXml(parseXml(before), parseXml(after)).map(({ kind, node, path, before: old, after: now }) => ({
    kind,
    node,
    path,
    before: old,
    after: now,
  }))
}
