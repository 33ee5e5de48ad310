import { VmpkgError } from '../../errors.ts'
import { parseSize } from '../../model/size.ts'
import type { ResourceChange } from '../../operations/resources.ts'
import { type CommandSpec, type OptionValues, optionNumber, optionText } from '../command.ts'
import { describeDisks, IMPACT_DESCRIPTION, IMPACT_OPTIONS, runSet } from '../resources.ts'

export const command: CommandSpec = {
  args: '<machine>',
  summary: 'Size and limits of a machine’s disk.',
  description:
    `A disk only grows, while its machine runs; its partitions are the guest’s part.\n` +
    `--iops and --bandwidth count reading and writing together; 0 lifts them.\n${IMPACT_DESCRIPTION}`,
  options: [
    { flags: '--disk <target>', summary: 'which one, as vda (default: the only one)' },
    { flags: '--size <size>', summary: 'grow it to this' },
    { flags: '--iops <number>', summary: 'operations a second' },
    { flags: '--bandwidth <size>', summary: 'bytes a second, as 10MiB' },
    ...IMPACT_OPTIONS,
  ],
  examples: ['vmpkg set disk demo --size 20GiB', 'vmpkg set disk demo --iops 500 --bandwidth 20MiB'],
  async run({ args, options, io }) {
    const [name = ''] = args
    return runSet(io, { name, change: readChange(options), options }, describeDisks)
  },
}

function readChange(options: OptionValues): ResourceChange | undefined {
  const target = optionText(options, 'disk')
  const size = optionText(options, 'size')
  const bandwidth = optionText(options, 'bandwidth')
  const iops = optionNumber(options, 'iops', 0)
  if (size === undefined && bandwidth === undefined && iops === undefined) {
    if (target === undefined) return undefined
    throw new VmpkgError('USAGE', 'Nothing is said about the disk', { hint: 'Give it --size, --iops or --bandwidth.' })
  }
  return {
    kind: 'disk',
    target,
    iops,
    bandwidth: bandwidth === undefined ? undefined : bandwidth === '0' ? 0 : parseSize(bandwidth),
    sizeBytes: size === undefined ? undefined : parseSize(size),
  }
}
