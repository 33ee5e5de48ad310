/**
 * Merges a new rendering of a domain or network into what libvirt has, so that what a user changed with virsh or
 * virt-manager stays (formats 5.2). Our own metadata is always ours, a
 * title or description that the user wrote is theirs; what libvirt had derived from a changed value is derived anew.
 *
 * The new rendering passed the policy gate; what is merged into it are edits of the user, who may edit all of it anyway.
 * Source: libvirt's formatdomain and formatnetwork.
 */
import { removeElement } from '../xml/edit.ts'
import { childElements } from '../xml/find.ts'
import { identityOf } from '../xml/identity.ts'
import { isSameElement, type MergeConflict, mergeElements, type Side } from '../xml/merge.ts'
import { parseXml } from '../xml/parse.ts'
import { formatXml, type XmlElement } from '../xml/tree.ts'

export interface DefinitionVersions {
  /** Our former rendering and how libvirt wrote it down. */
  readonly rendered: string
  readonly defined: string
  /** What libvirt has now. */
  readonly current: string
  /** The new rendering. */
  readonly next: string
}

export interface MergedDefinition {
  readonly xml: string
  readonly conflicts: readonly MergeConflict[]
  /** True where the user's edits are in it. */
  readonly isEdited: boolean
}

/** @param prefer which side wins where both changed one thing @throws {VmpkgError} `XML_INVALID` */
export function mergeDefinition(versions: DefinitionVersions, prefer?: Side): MergedDefinition {
  const [before, after, base] = [versions.rendered, versions.next, versions.defined].map((xml) => parseXml(xml).root)
  const document = parseXml(versions.current)
  const current = document.root
  if (before === undefined || after === undefined || base === undefined) throw new TypeError('three texts, three trees')
  const isEdited = !isSameElement(base, current)
  dropDerived({ before, after, base, current })
  const conflicts = mergeElements({ before, after, base, current }, { keyOf: identityOf, sideOf, prefer })
  return { xml: formatXml(document), conflicts, isEdited }
}

function sideOf(path: string, element: XmlElement): Side | undefined {
  if (path.startsWith('metadata/') && /^(vmpkg|libosinfo):/.test(element.name)) return 'after'
  return path === 'title' || path === 'description' ? 'current' : undefined
}

/** libvirt fills these in from other elements where a text leaves them out; a new value must not meet an old copy. */
export const DERIVED: readonly string[] = ['currentMemory']

function dropDerived({ before, after, base, current }: Readonly<Record<string, XmlElement>>): void {
  for (const name of DERIVED) {
    const [o, n, b, c] = [before, after, base, current].map(
      (root) => root && childElements(root).find((child) => child.name === name),
    )
    if (o === undefined && n === undefined && c !== undefined && current !== undefined && isSameElement(b, c)) {
      removeElement(current, c)
    }
  }
}
