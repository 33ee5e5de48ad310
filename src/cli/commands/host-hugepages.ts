import { formatPageSize } from '../../host/hugepage-plan.ts'
import { readHostFacts } from '../../operations/host-facts.ts'
import { readOwners } from '../../operations/host-hugepages.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '',
  summary: 'Show the huge pages of the host by node and size, and what vmpkg reserved.',
  options: [],
  examples: ['vmpkg host hugepages', 'vmpkg host hugepages --json'],
  async run({ io }) {
    const workspace = await io.workspace()
    const { topology, memory } = await readHostFacts(workspace)
    const owners = await readOwners(workspace)
    const nodes = topology.nodes.map(({ id, hugepages }) => ({ node: id, hugepages }))
    if (io.json) {
      io.printJson('host-hugepages', { ...memory, nodes, reservations: owners })
      return 0
    }
    const pools = [
      ...memory.hugepages.map((pool) => ({ where: 'host', pool })),
      ...nodes.flatMap(({ node, hugepages }) => hugepages.map((pool) => ({ where: `node ${node}`, pool }))),
    ]
    io.printTable(
      ['WHERE', 'SIZE', 'TOTAL', 'FREE', 'SURPLUS'],
      pools.map(({ where, pool: { sizeKib, total, free, surplus } }) => [
        where,
        formatPageSize(sizeKib),
        String(total),
        free === undefined ? '-' : String(free),
        String(surplus ?? 0),
      ]),
    )
    for (const [owner, list] of Object.entries(owners)) {
      for (const { node, sizeKib, added } of list) {
        const where = node === undefined ? '' : ` on node ${node}`
        io.note(`Reserved for ${owner}: ${added} pages of ${formatPageSize(sizeKib)}${where}`)
      }
    }
    if (memory.transparentHugepages !== undefined) io.note(`Transparent huge pages: ${memory.transparentHugepages}`)
    if (memory.isMerging === true) io.note('Equal pages are being merged (KSM): that costs time and splits huge pages')
    return 0
  },
}
