/**
 * The huge page pools of a host that only libvirt reaches: how large they are is in its capabilities, how many are free
 * and changes are calls of their own. libvirt cannot compact memory.
 */
import type { Connect } from '../libvirt/connect.ts'
import { LibvirtError } from '../libvirt/error.ts'
import { parseCapabilitiesTopology } from './capabilities-topology.ts'
import type { PagePools } from './reserve-pages.ts'

export function libvirtPages(
  connect: Pick<Connect, 'getCapabilities' | 'nodeGetFreePages' | 'nodeAllocPages'>,
): PagePools {
  return {
    async read({ node, sizeKib }) {
      const { nodes } = parseCapabilitiesTopology(await connect.getCapabilities())
      const pools = nodes.filter(({ id }) => node === undefined || id === node).flatMap(({ hugepages }) => hugepages)
      const total = pools.filter((pool) => pool.sizeKib === sizeKib).reduce((sum, pool) => sum + pool.total, 0)
      const [free = 0n] = await connect.nodeGetFreePages({ pages: [sizeKib], startCell: node ?? -1 })
      return { total, free: Number(free) }
    },
    async resize({ node, sizeKib }, total) {
      const request = { pageSizes: [sizeKib], pageCounts: [BigInt(total)], startCell: node ?? -1 }
      await connect.nodeAllocPages({ ...request, flags: ['set'] }).catch((error: unknown) => {
        // It says so when the kernel gave too few; the caller looks how many there are.
        if (!(error instanceof LibvirtError) || error.codeName !== 'operationFailed') throw error
      })
    },
    async compact() {},
  }
}
