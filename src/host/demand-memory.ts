/** Memory and processors of the host that a domain takes for itself. Source: libvirt's formatdomain.rst. Pure. */
import { findElement, findElements } from '../xml/find.ts'
import type { XmlElement } from '../xml/tree.ts'
import { attribute, toIds, toKib } from './demand-values.ts'

/** What one guest cell, or a guest without cells, takes of huge pages. */
export interface HugepageDemand {
  /** The host's default without it. */
  readonly sizeKib: number | undefined
  readonly memoryKib: number
  /** Host nodes that alone may give them; empty: any. */
  readonly hostNodes: readonly number[]
}

export interface PinDemand {
  /** `vcpupin 2`. */
  readonly path: string
  readonly cpus: readonly number[]
}

/** A page without nodeset is for all cells that no other names. Source: formatdomain.rst, memoryBacking and numatune. */
export function readHugepages(root: XmlElement): readonly HugepageDemand[] {
  if (findElement(root, 'memoryBacking/hugepages') === undefined) return []
  const pages = findElements(root, 'memoryBacking/hugepages/page').map((page) => ({
    sizeKib: toKib(page, 'unit', attribute(page, 'size') ?? ''),
    cells: toIds(attribute(page, 'nodeset')),
  }))
  const memory = findElement(root, 'memory')
  const cells = findElements(root, 'cpu/numa/cell').map((cell, index) => ({
    id: Number(attribute(cell, 'id') ?? index),
    memoryKib: toKib(cell, 'unit', attribute(cell, 'memory') ?? ''),
  }))
  const whole = [{ id: 0, memoryKib: memory === undefined ? 0 : toKib(memory) }]
  return (cells.length > 0 ? cells : whole).flatMap(({ id, memoryKib }) => {
    const page = pages.find((one) => one.cells.includes(id)) ?? pages.find((one) => one.cells.length === 0)
    if (page === undefined && pages.length > 0) return []
    return [{ sizeKib: page?.sizeKib, memoryKib, hostNodes: findHostNodes(root, id) }]
  })
}

function findHostNodes(root: XmlElement, cell: number): readonly number[] {
  const own = findElements(root, 'numatune/memnode').find((node) => Number(attribute(node, 'cellid')) === cell)
  const tune = own ?? findElement(root, 'numatune/memory')
  // Preferred nodes are left for others where they have too little.
  return attribute(tune, 'mode') === 'preferred' ? [] : toIds(attribute(tune, 'nodeset'))
}

export function readPins(root: XmlElement): readonly PinDemand[] {
  const sources: readonly (readonly [path: string, name: (element: XmlElement) => string])[] = [
    ['vcpu', () => 'vcpu'],
    ['cputune/vcpupin', (pin) => `vcpupin ${attribute(pin, 'vcpu') ?? ''}`],
    ['cputune/emulatorpin', () => 'emulatorpin'],
    ['cputune/iothreadpin', (pin) => `iothreadpin ${attribute(pin, 'iothread') ?? ''}`],
  ]
  return sources.flatMap(([path, name]) =>
    findElements(root, path).flatMap((pin) => {
      const set = attribute(pin, 'cpuset')
      return set === undefined ? [] : [{ path: name(pin), cpus: toIds(set) }]
    }),
  )
}
