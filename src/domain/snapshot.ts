/** What libvirt remembers of a machine's snapshots, whoever made them, and how they follow from one another. Pure. */
import { VmpkgError } from '../errors.ts'
import { sha256 } from '../model/digest.ts'
import { findElement, getAttribute, getText } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import { type KnownSnapshot, readSnapshot } from './points.ts'

export interface SnapshotFacts extends KnownSnapshot {
  /** libvirt's word: `running`, `paused`, `shutoff`, or `disk-snapshot` of a machine that ran. */
  readonly state: string
  readonly parent: string | undefined
  readonly description: string | undefined
  readonly memory: { readonly kind: 'none' | 'internal' | 'external'; readonly file: string | undefined }
  /** The whole document. */
  readonly xml: string
}

export function readSnapshotFacts(xml: string): SnapshotFacts {
  const { root } = parseXml(xml)
  const text = (path: string): string | undefined => {
    const element = findElement(root, path)
    return element === undefined ? undefined : getText(element)
  }
  const memory = findElement(root, 'memory')
  const kind = memory && getAttribute(memory, 'snapshot')
  return {
    ...readSnapshot(xml),
    state: text('state') ?? 'shutoff',
    parent: text('parent/name'),
    description: text('description'),
    memory: {
      kind: kind === 'internal' || kind === 'external' ? kind : 'none',
      file: memory && getAttribute(memory, 'file'),
    },
    xml,
  }
}

/** Whether the memory of a running guest is in it. */
export function hasMemory({ memory }: Pick<SnapshotFacts, 'memory'>): boolean {
  return memory.kind !== 'none'
}

/** One that lies inside a disk's own file, so that only libvirt and QEMU can go back to it. */
export function isInternal({ disks, memory }: Pick<SnapshotFacts, 'disks' | 'memory'>): boolean {
  return memory.kind === 'internal' || disks.some(({ kind }) => kind === 'internal')
}

/** `disk`, or `disk and memory`. */
export function describeContent(snapshot: SnapshotFacts): string {
  const what = hasMemory(snapshot) ? 'disk and memory' : 'disk'
  return isInternal(snapshot) ? `${what}, internal` : what
}

/** Parents before their children, the older first. */
export function inOrder<T extends { readonly name: string; readonly parent: string | undefined; readonly time: Date }>(
  snapshots: readonly T[],
): readonly T[] {
  const known = new Set(snapshots.map(({ name }) => name))
  const byTime = snapshots.toSorted((a, b) => a.time.getTime() - b.time.getTime() || a.name.localeCompare(b.name))
  const visit = (one: T): readonly T[] => [
    one,
    ...byTime.filter(({ parent, name }) => parent === one.name && name !== one.name).flatMap(visit),
  ]
  return byTime.filter(({ parent }) => parent === undefined || !known.has(parent)).flatMap(visit)
}

/** All that follow from one, parents first; itself is not among them. */
export function descendantsOf<T extends { readonly name: string; readonly parent: string | undefined }>(
  snapshots: readonly T[],
  name: string,
): readonly T[] {
  return snapshots
    .filter((one) => one.parent === name && one.name !== name)
    .flatMap((one) => [one, ...descendantsOf(snapshots, one.name)])
}

/** It becomes part of the names of files that belong to a snapshot, whatever its own name is made of. */
export function snapshotKey(name: string): string {
  return sha256(name).slice(0, 12)
}

const NAME = /^[\p{L}\p{N}_][\p{L}\p{N}_ .:+@-]{0,127}$/u

/** @throws {VmpkgError} `NAME_INVALID` */
export function parseSnapshotName(text: string): string {
  if (NAME.test(text) && !text.endsWith(' ')) return text
  throw new VmpkgError('NAME_INVALID', `Not a name for a snapshot: ${JSON.stringify(text.slice(0, 80))}`, {
    hint: 'Use at most 128 letters, digits and . _ - : + @ between them, beginning with a letter or digit.',
  })
}
