/**
 * The same facts from libvirt's capabilities, for hosts that only libvirt reaches. libvirt tells no isolated CPUs, no
 * limits, no kinds of cores and only the caches of the last level (`<cache><bank>`).
 *
 * Source: libvirt formatcaps "NUMA topology"; names as in src/conf/schemas/capability.rng.
 */
import { VmpkgError } from '../errors.ts'
import { parseCpuSet } from '../model/cpu-set.ts'
import { findElement, findElements, getAttribute, getText } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import type { XmlElement } from '../xml/tree.ts'
import type { HostCache, HostCpu, HostNode, HostTopology } from './topology.ts'

const UNITS: Readonly<Record<string, number>> = { B: 1 / 1024, KiB: 1, MiB: 1024, GiB: 1024 ** 2 }

/** @throws {VmpkgError} `XML_INVALID`, and `HOST_UNSUPPORTED` for capabilities without a topology */
export function parseCapabilitiesTopology(xml: string): HostTopology {
  const { root } = parseXml(xml)
  const cells = findElements(root, 'host/topology/cells/cell')
  if (cells.length === 0) {
    throw new VmpkgError('HOST_UNSUPPORTED', 'libvirt tells nothing about the CPUs of its host', {
      hint: 'Run vmpkg on that host itself, or choose the CPUs by hand.',
    })
  }
  // libvirt makes up one cell for a host without NUMA; the kernel's own single node looks the same.
  const nodes = cells.map(readCell)
  const cpus = cells
    .flatMap((cell) => findElements(cell, 'cpus/cpu').map((cpu) => readCpu(cpu, numberOf(cell, 'id'))))
    .toSorted((a, b) => a.id - b.id)
  const online = cpus.map(({ id }) => id)
  return {
    cpus,
    offline: [],
    isolated: [],
    nohzFull: [],
    allowed: online,
    caches: findElements(root, 'host/cache/bank').map(readBank),
    kinds: [{ name: 'uniform', cpus: online }],
    nodes,
    memoryKib: nodes.reduce((sum, { memoryKib }) => sum + memoryKib, 0),
  }
}

function readCell(cell: XmlElement): HostNode {
  const memory = findElement(cell, 'memory')
  const memoryKib = memory === undefined ? 0 : Number(getText(memory)) * unitOf(memory)
  return {
    id: numberOf(cell, 'id'),
    cpus: findElements(cell, 'cpus/cpu').map((cpu) => numberOf(cpu, 'id')),
    memoryKib: Number.isFinite(memoryKib) ? memoryKib : 0,
    distances: new Map(
      findElements(cell, 'distances/sibling').map((sibling) => [numberOf(sibling, 'id'), numberOf(sibling, 'value')]),
    ),
    // The smallest size are ordinary pages.
    hugepages: findElements(cell, 'pages')
      .map((pages) => ({ sizeKib: numberOf(pages, 'size') * unitOf(pages), total: Number(getText(pages)) }))
      .toSorted((a, b) => a.sizeKib - b.sizeKib)
      .slice(1),
  }
}

function readCpu(cpu: XmlElement, node: number): HostCpu {
  const id = numberOf(cpu, 'id')
  const siblings = parseCpuSet(getAttribute(cpu, 'siblings') ?? String(id))
  return {
    id,
    packageId: numberOf(cpu, 'socket_id'),
    dieId: numberOf(cpu, 'die_id'),
    clusterId: numberOf(cpu, 'cluster_id'),
    coreId: numberOf(cpu, 'core_id'),
    siblings,
    node,
    kind: 0,
  }
}

function readBank(bank: XmlElement): HostCache {
  const type = getAttribute(bank, 'type')
  return {
    level: numberOf(bank, 'level'),
    type: type === 'code' ? 'instruction' : type === 'data' ? 'data' : 'unified',
    sizeKib: numberOf(bank, 'size') * unitOf(bank),
    cpus: parseCpuSet(getAttribute(bank, 'cpus') ?? ''),
  }
}

/** Missing ones (older libvirt has no dies and clusters) are 0. */
function numberOf(element: XmlElement, name: string): number {
  const value = Number(getAttribute(element, name) ?? 0)
  return Number.isSafeInteger(value) && value >= 0 ? value : 0
}

function unitOf(element: XmlElement): number {
  return UNITS[getAttribute(element, 'unit') ?? 'KiB'] ?? 1
}
