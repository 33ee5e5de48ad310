/**
 * Huge pages of a host, transparent ones, and the merging of equal pages (KSM), as the kernel tells them.
 *
 * Sources: Linux Documentation/admin-guide/mm/hugetlbpage.rst, transhuge.rst, ksm.rst.
 */
import { type HostRoots, listEntries, readInteger, readText } from './kernel-files.ts'
import type { HugepagePool } from './topology.ts'

interface HugepageSize extends HugepagePool {
  /** Promised to a process that has not touched them yet: counted as free, but not to be had. */
  readonly reserved: number
  /** How many the kernel may allocate beyond `total` when asked. */
  readonly overcommit: number
}

export interface MemoryFacts {
  /** Of the whole host, by size. Empty where the kernel has none. */
  readonly hugepages: readonly HugepageSize[]
  readonly defaultHugepageKib?: number
  /** `always`, `madvise` or `never`; absent where the kernel has none. */
  readonly transparentHugepages?: string
  /** Whether equal pages are being merged; absent where the kernel cannot. */
  readonly isMerging?: boolean
}

export function readMemoryFacts({ sysfs, procfs }: HostRoots): MemoryFacts {
  const folder = `${sysfs}/kernel/mm/hugepages`
  const size = /^Hugepagesize:\s+(\d+) kB/m.exec(readText(`${procfs}/meminfo`) ?? '')?.[1]
  const transparent = /\[(\w+)\]/.exec(readText(`${sysfs}/kernel/mm/transparent_hugepage/enabled`) ?? '')?.[1]
  const ksm = readInteger(`${sysfs}/kernel/mm/ksm/run`)
  return {
    hugepages: readHugepagePools(folder).map((pool) => ({
      ...pool,
      reserved: readInteger(`${folder}/hugepages-${pool.sizeKib}kB/resv_hugepages`) ?? 0,
      overcommit: readInteger(`${folder}/hugepages-${pool.sizeKib}kB/nr_overcommit_hugepages`) ?? 0,
    })),
    ...(size === undefined ? {} : { defaultHugepageKib: Number(size) }),
    ...(transparent === undefined ? {} : { transparentHugepages: transparent }),
    ...(ksm === undefined ? {} : { isMerging: ksm === 1 }),
  }
}

/** The pools of a folder `hugepages`, the host's or a node's, the smallest pages first. */
export function readHugepagePools(folder: string): HugepagePool[] {
  return listEntries(folder)
    .flatMap((name) => {
      const sizeKib = Number(/^hugepages-(\d{1,10})kB$/.exec(name)?.[1])
      if (!Number.isSafeInteger(sizeKib)) return []
      const number = (file: string): number => readInteger(`${folder}/${name}/${file}`) ?? 0
      return [
        {
          sizeKib,
          total: number('nr_hugepages'),
          free: number('free_hugepages'),
          surplus: number('surplus_hugepages'),
        },
      ]
    })
    .toSorted((a, b) => a.sizeKib - b.sizeKib)
}
