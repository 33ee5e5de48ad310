/**
 * The points in time at which a disk of a domain can still be read: the snapshots that libvirt knows, external and
 * internal, layers that nobody named, and now. Pure.
 *
 * An external snapshot leaves the file that was written until then as it was, and goes on in a new one: what its own
 * definition of the domain names is the file as it was. Source: libvirt's formatsnapshot.rst.
 */
import { basename } from 'node:path'
import { type DiskDemand, readDisk } from '../host/demand-disk.ts'
import type { ChainFile } from '../image/chain.ts'
import { findElement, findElements, getAttribute, getText } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'

/** What libvirt remembers of a snapshot, as far as it concerns disks. */
export interface KnownSnapshot {
  readonly name: string
  readonly time: Date
  readonly disks: readonly {
    readonly target: string
    readonly kind: 'external' | 'internal'
    /** What the disk was when the snapshot was taken. */
    readonly file: string
    readonly format: string
  }[]
}

export interface PointInTime {
  /** Of the snapshot, of the layer's file, or `now`. */
  readonly name: string
  readonly kind: 'snapshot' | 'layer' | 'now'
  readonly time: Date
  /** Key of the chain's file. */
  readonly file: string
  /** Of an internal snapshot. */
  readonly internal?: string
  /** Why it may not be what it was; for the person. */
  readonly doubt?: string
}

/** Disks whose content is the guest's own: no media. */
export function readDisks(domainXml: string): readonly DiskDemand[] {
  return findElements(parseXml(domainXml).root, 'devices/disk')
    .map(readDisk)
    .filter(({ device, target }) => device === 'disk' && target !== '')
}

export function readSnapshot(xml: string): KnownSnapshot {
  const { root } = parseXml(xml)
  const text = (path: string): string => {
    const element = findElement(root, path)
    return element === undefined ? '' : getText(element)
  }
  const before = findElements(root, 'domain/devices/disk').map(readDisk)
  const disks = findElements(root, 'disks/disk').flatMap((disk) => {
    const kind = getAttribute(disk, 'snapshot')
    const name = getAttribute(disk, 'name')
    const own = before.find(({ target, file }) => target === name || file === name)
    if ((kind !== 'external' && kind !== 'internal') || own?.file === undefined) return []
    return [{ target: own.target, kind, file: own.file, format: own.format ?? 'raw' } as const]
  })
  return { name: text('name'), time: new Date(Number(text('creationTime')) * 1000), disks }
}

export interface PointsRequest {
  readonly target: string
  /** Key of the file that the domain has now. */
  readonly top: string
  readonly files: ReadonlyMap<string, ChainFile>
  readonly snapshots: readonly KnownSnapshot[]
  /** Key of a file as a definition names it; `undefined` where it is gone. */
  readonly keyOf: (file: string) => string | undefined
  /** Leave the present out, because a running guest writes to it. */
  readonly withoutNow: boolean
  readonly now: Date
}

/** Seconds that QEMU may take to finish a file after the snapshot's time. */
const SLACK_MS = 60_000

/** In order of time; of one time, what stands lower first. */
export function findPoints(request: PointsRequest): readonly PointInTime[] {
  const { target, top, files, snapshots, keyOf, withoutNow, now } = request
  const points: PointInTime[] = []
  const named = new Set<string>()
  for (const { name, time, disks } of snapshots) {
    const disk = disks.find((one) => one.target === target)
    const key = disk === undefined ? undefined : keyOf(disk.file)
    const file = key === undefined ? undefined : files.get(key)
    if (disk?.kind !== 'external' || key === undefined || file === undefined || key === top) continue
    named.add(key)
    const changed = file.modified.getTime() > time.getTime() + SLACK_MS
    const doubt = changed ? { doubt: `its file was written to afterwards, at ${file.modified.toISOString()}` } : {}
    points.push({ name, kind: 'snapshot', time, file: key, ...doubt })
  }
  for (const [key, { snapshots: internal }] of files) {
    for (const { id, name, time } of internal) points.push({ name, kind: 'snapshot', time, file: key, internal: id })
  }
  // A layer was finished before those above it, whenever somebody copied its file.
  let bound = now
  const earlier = (a: Date, b: Date): Date => (a.getTime() < b.getTime() ? a : b)
  for (let key = files.get(top)?.backing; key !== undefined; key = files.get(key)?.backing) {
    const layer = files.get(key)
    if (layer === undefined) continue
    const own = points.filter(({ file, internal }) => file === key && internal === undefined)
    bound = own.reduce((least, { time }) => earlier(least, time), bound)
    if (named.has(key)) continue
    bound = earlier(bound, layer.modified)
    points.push({ name: basename(layer.file), kind: 'layer', time: bound, file: key })
  }
  const depth = (key: string): number => {
    let count = 0
    for (let at = files.get(key)?.backing; at !== undefined; at = files.get(at)?.backing) count++
    return count
  }
  const ordered = points
    .map((point) => ({ point, depth: depth(point.file) }))
    .toSorted((a, b) => a.point.time.getTime() - b.point.time.getTime() || a.depth - b.depth)
    .map(({ point }) => point)
  return withoutNow ? ordered : [...ordered, { name: 'now', kind: 'now', time: now, file: top }]
}
