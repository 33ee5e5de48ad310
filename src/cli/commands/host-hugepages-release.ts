import { formatPageSize } from '../../host/hugepage-plan.ts'
import { releaseHugepages } from '../../operations/host-hugepages.ts'
import { type CommandSpec, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '',
  summary: 'Give back the huge pages that vmpkg reserved, as far as nobody uses them.',
  options: [
    { flags: '--for <name>', summary: 'the machine that they were reserved for (default manual)' },
    { flags: '--dry-run', summary: 'print what would be given back and stop' },
  ],
  examples: ['vmpkg host hugepages release --for gaming', 'vmpkg host hugepages release --dry-run'],
  async run({ options, io }) {
    const owner = optionText(options, 'for') ?? 'manual'
    const workspace = await io.workspace({ write: !io.dryRun })
    const { reserved, left } = await releaseHugepages(workspace, { owner, dryRun: io.dryRun })
    if (io.json) io.printJson('hugepages-released', { owner, reserved, left })
    else if (reserved.length === 0) io.note(`Nothing is reserved for ${owner}.`)
    else {
      io.printTable(
        ['NODE', 'SIZE', 'RESERVED', 'STILL IN USE'],
        reserved.map(({ node, sizeKib, added }) => {
          const rest = left.find((other) => other.node === node && other.sizeKib === sizeKib)
          return [
            node === undefined ? 'any' : String(node),
            formatPageSize(sizeKib),
            String(added),
            String(rest?.added ?? 0),
          ]
        }),
      )
    }
    return left.length > 0 ? 1 : 0
  },
}
