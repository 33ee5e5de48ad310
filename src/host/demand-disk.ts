/** What a disk asks of the host. Source: libvirt's formatdomain.rst. Pure. */
import { findElement } from '../xml/find.ts'
import type { XmlElement } from '../xml/tree.ts'
import { attribute } from './demand-values.ts'

export interface DiskDemand {
  /** `disk vda`. */
  readonly path: string
  readonly type: string
  readonly device: string
  readonly file: string | undefined
  /** Of a disk whose file libvirt finds in a storage pool. */
  readonly volume: { readonly pool: string; readonly name: string } | undefined
  readonly format: string | undefined
  readonly bus: string | undefined
  readonly target: string
  readonly isReadonly: boolean
  readonly isShareable: boolean
  readonly isTransient: boolean
  readonly sharesBacking: boolean
  /** A medium that may be absent: startupPolicy. */
  readonly isOptional: boolean
  /** The definition names the chain itself, so libvirt does not read it. */
  readonly hasBackingStore: boolean
}

export function readDisk(disk: XmlElement): DiskDemand {
  const target = attribute(findElement(disk, 'target'), 'dev') ?? ''
  const source = findElement(disk, 'source')
  const device = attribute(disk, 'device') ?? 'disk'
  const [pool, name] = ['pool', 'volume'].map((word) => attribute(source, word))
  const transient = findElement(disk, 'transient')
  return {
    path: `disk ${target}`,
    type: attribute(disk, 'type') ?? 'file',
    device,
    file: attribute(source, 'file') ?? attribute(source, 'dev'),
    volume: pool === undefined || name === undefined ? undefined : { pool, name },
    format: attribute(findElement(disk, 'driver'), 'type'),
    bus: attribute(findElement(disk, 'target'), 'bus'),
    target,
    isReadonly: device === 'cdrom' || findElement(disk, 'readonly') !== undefined,
    isShareable: findElement(disk, 'shareable') !== undefined,
    isTransient: transient !== undefined,
    sharesBacking: attribute(transient, 'shareBacking') === 'yes',
    isOptional: ['optional', 'requisite'].includes(attribute(source, 'startupPolicy') ?? ''),
    hasBackingStore: findElement(disk, 'backingStore') !== undefined,
  }
}
