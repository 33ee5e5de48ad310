/** What a machine has of its host, as its definition says: memory, processors, disks, and what limits them. */
import { findElement, findElements, getAttribute, getText } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import type { XmlElement } from '../xml/tree.ts'

interface DiskLimits {
  /** `vda` */
  readonly target: string
  readonly iops: number | undefined
  /** Bytes a second. */
  readonly bandwidth: number | undefined
}

export interface Resources {
  readonly memoryKib: number
  readonly vcpus: number
  /** Of one processor of the host, in percent: 250 is two and a half. */
  readonly cpuPercent: number | undefined
  /** Disks, not CD-ROMs. */
  readonly disks: readonly DiskLimits[]
}

const UNITS: Readonly<Record<string, number>> = {
  b: 1 / 1024,
  KiB: 1,
  k: 1,
  MiB: 1024,
  M: 1024,
  GiB: 1024 ** 2,
  G: 1024 ** 2,
}

export function readResources(xml: string): Resources {
  const { root } = parseXml(xml)
  const memory = findElement(root, 'memory')
  const vcpu = findElement(root, 'vcpu')
  const unit = (memory && getAttribute(memory, 'unit')) ?? 'KiB'
  const period = numberIn(root, 'cputune/global_period')
  const quota = numberIn(root, 'cputune/global_quota')
  return {
    memoryKib: Math.round(Number(memory === undefined ? 0 : getText(memory)) * (UNITS[unit] ?? 1)),
    vcpus: Number(vcpu === undefined ? 1 : getText(vcpu)),
    cpuPercent: quota === undefined || quota <= 0 ? undefined : Math.round((quota / (period ?? 100_000)) * 100),
    disks: findElements(root, 'devices/disk').flatMap(limitsOf),
  }
}

function limitsOf(disk: XmlElement): readonly DiskLimits[] {
  const target = findElement(disk, 'target')
  const name = target && getAttribute(target, 'dev')
  if (name === undefined || !['disk', undefined].includes(getAttribute(disk, 'device'))) return []
  return [
    {
      target: name,
      iops: numberIn(disk, 'iotune/total_iops_sec'),
      bandwidth: numberIn(disk, 'iotune/total_bytes_sec'),
    },
  ]
}

function numberIn(element: XmlElement, path: string): number | undefined {
  const found = findElement(element, path)
  return found === undefined ? undefined : Number(getText(found))
}
