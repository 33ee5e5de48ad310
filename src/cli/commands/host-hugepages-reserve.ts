import { VmpkgError } from '../../errors.ts'
import { formatPageSize } from '../../host/hugepage-plan.ts'
import { parseSize } from '../../model/size.ts'
import { reserveHugepages } from '../../operations/host-hugepages.ts'
import { type CommandSpec, optionList, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<memory>',
  summary: 'Reserve huge pages until so much memory of them is free: all of it, or nothing.',
  description: 'What was reserved is given back by vmpkg host hugepages release, or by a restart of the host.',
  options: [
    { flags: '--size <size>', summary: 'size of a page, as 1GiB (default: the kernel’s)' },
    { flags: '--node <number>...', summary: 'NUMA nodes to take them from, in equal parts' },
    { flags: '--for <name>', summary: 'the machine that they are for (default manual)' },
    { flags: '--drop-caches', summary: 'let go of the page cache where memory is fragmented' },
    { flags: '--dry-run', summary: 'print what is missing and stop' },
  ],
  examples: [
    'vmpkg host hugepages reserve 16GiB --for gaming',
    'vmpkg host hugepages reserve 8GiB --size 1GiB --node 1 --dry-run',
  ],
  async run({ args, options, io }) {
    const size = optionText(options, 'size')
    const { needs, reserved } = await reserveHugepages(await io.workspace({ write: !io.dryRun }), {
      owner: optionText(options, 'for') ?? 'manual',
      memoryKib: parseSize(args[0] ?? '') / 1024,
      ...(size === undefined ? {} : { pageKib: parseSize(size) / 1024 }),
      nodes: optionList(options, 'node').map(parseNode),
      dropCaches: options['dropCaches'] === true,
      dryRun: io.dryRun,
    })
    if (io.json) io.printJson('hugepages-reserved', { needs, reserved })
    else {
      io.printTable(
        ['NODE', 'SIZE', 'WANTED', 'FREE', io.dryRun ? 'MISSING' : 'RESERVED'],
        needs.map(({ node, sizeKib, count, available, missing }) => [
          node === undefined ? 'any' : String(node),
          formatPageSize(sizeKib),
          String(count),
          String(available),
          String(missing),
        ]),
      )
    }
    return 0
  },
}

function parseNode(text: string): number {
  if (/^\d{1,4}$/.test(text)) return Number(text)
  throw new VmpkgError('USAGE', `Not a NUMA node: ${JSON.stringify(text.slice(0, 40))}`, {
    hint: 'vmpkg host topology lists them.',
  })
}
