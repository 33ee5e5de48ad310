/** What holds for a disk as a whole: files of vmpkg are used as they were made, files of the user as was granted. */
import type { DomainTemplateContext } from '../model/template-context.ts'
import { findElement, findElements, getAttribute } from '../xml/find.ts'
import type { XmlElement } from '../xml/tree.ts'
import type { Gate, Need } from './gate.ts'
import type { Finding } from './policy.ts'

/** Devices of the host that can be written where the disk is not read-only. */
const WRITING: Readonly<Record<string, Need>> = {
  file: 'host-file:write',
  volume: 'host-file:write',
  dir: 'host-folder:write',
}

export function judgeDisks(root: XmlElement, context: DomainTemplateContext, gate: Gate): Finding[] {
  const disks = findElements(root, 'devices/disk')
  return [
    ...disks.flatMap((disk, index) => judgeDisk(disk, `domain/devices/disk[${index + 1}]`, context, gate)),
    ...findSharedWriters(disks, context),
  ]
}

function judgeDisk(disk: XmlElement, path: string, context: DomainTemplateContext, gate: Gate): Finding[] {
  const file = attributeAt(disk, 'source', 'file')
  const faults: string[] = []
  if (getAttribute(disk, 'type') !== 'file' || (file !== undefined && gate.isChosen(file))) {
    return judgeUsersDisk(disk, path, gate)
  }
  if (file === undefined) {
    // An empty drive: a CD-ROM or a floppy disk without a medium.
    const isDrive = ['cdrom', 'floppy'].includes(getAttribute(disk, 'device') ?? '')
    return isDrive && findElement(disk, 'source') === undefined
      ? []
      : [{ path, reason: 'a disk names its file and its format' }]
  }
  const format = attributeAt(disk, 'driver', 'type')
  const backing = findElement(disk, 'backingStore')
  if (format === undefined) faults.push('a disk names its file and its format')
  if (file === context.overlay?.path) {
    if (format !== 'qcow2' || getAttribute(disk, 'device') !== 'disk')
      faults.push('an overlay is a disk in format qcow2')
    if (findElement(disk, 'shareable') !== undefined) faults.push('an overlay is not shareable')
    if (backing === undefined || attributeAt(disk, 'backingStore/source', 'file') !== context.overlay.base) {
      faults.push('an overlay names its base')
    } else if (attributeAt(disk, 'backingStore/format', 'type') !== 'raw') faults.push('the base has format raw')
    if (findElement(disk, 'backingStore/backingStore') === undefined) faults.push('the chain ends at the base')
  } else {
    // What a guest writes to a transient disk goes to a file of libvirt's that ends with it.
    if (findElement(disk, 'readonly') === undefined && findElement(disk, 'transient') === undefined) {
      faults.push('an image or a medium is read-only')
    }
    if (format !== 'raw') faults.push('an image or a medium has format raw')
    if (backing !== undefined && (backing.attributes.length > 0 || findElement(backing, '*') !== undefined)) {
      faults.push('an image or a medium has no base')
    }
  }
  if (findElement(disk, 'source/encryption') !== undefined || findElement(disk, 'source/dataStore') !== undefined) {
    faults.push('a file of vmpkg is what it is, without encryption and data elsewhere')
  }
  if (findElement(disk, 'backingStore/backingStore/*') !== undefined) faults.push('nothing lies below the base')
  return faults.map((reason) => ({ path, reason }))
}

/** The source itself is judged by the rules; here only whether the disk may be written. */
function judgeUsersDisk(disk: XmlElement, path: string, gate: Gate): Finding[] {
  const findings: Finding[] = []
  const format = attributeAt(disk, 'driver', 'type')
  if (format === undefined && !['dir', 'vhostuser', 'vhostvdpa'].includes(getAttribute(disk, 'type') ?? '')) {
    findings.push({ path, reason: 'a disk names its file and its format' })
  }
  const need = Object.entries(WRITING).find(([type]) => type === getAttribute(disk, 'type'))?.[1]
  const isReadOnly = findElement(disk, 'readonly') !== undefined || getAttribute(disk, 'device') === 'cdrom'
  const missing = need === undefined || isReadOnly ? undefined : gate.missing(need)
  if (missing !== undefined && need !== undefined) {
    findings.push({ path, reason: `writing ${missing}`, allowedBy: need })
  }
  return findings
}

/** Two disks on one overlay would destroy it. */
function findSharedWriters(disks: readonly XmlElement[], { overlay }: DomainTemplateContext): Finding[] {
  const writers = disks.filter((disk) => attributeAt(disk, 'source', 'file') === overlay?.path)
  return overlay !== undefined && writers.length > 1
    ? [{ path: 'domain/devices/disk', reason: 'two disks write to one overlay' }]
    : []
}

function attributeAt(element: XmlElement, path: string, name: string): string | undefined {
  const found = findElement(element, path)
  return found && getAttribute(found, name)
}
