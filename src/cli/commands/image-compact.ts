import { imageCompact } from '../../operations/image-compact.ts'
import { type CommandSpec, optionText } from '../command.ts'
import { formatBytes } from '../table.ts'

export const command: CommandSpec = {
  args: '<file>',
  summary: 'Free what a raw or qcow2 file takes for nothing: zeros, and clusters that no table names.',
  description:
    'What the guest sees stays the same. Zero free space in the guest first, or trim it (fstrim -a).\n' +
    'A qcow2 file is written anew beside the old one, which stays until that is whole.',
  options: [
    { flags: '--format <format>', summary: 'raw or qcow2, where the name does not say' },
    { flags: '--compress', summary: 'of qcow2: compress too; slower for the guest to read' },
    { flags: '--dry-run', summary: 'say what it would take' },
  ],
  examples: ['vmpkg image compact disk.qcow2', 'vmpkg image compact disk.raw --dry-run'],
  async run({ args, options, io }) {
    const [image = ''] = args
    const result = await imageCompact(await io.workspace(), {
      image,
      format: optionText(options, 'format'),
      compress: options['compress'] === true,
      dryRun: io.dryRun,
    })
    if (io.json) io.printJson('image-compact', { ...result, dryRun: io.dryRun })
    else {
      const { beforeBytes, afterBytes } = result
      const sizes = `${formatBytes(beforeBytes)} before, ${io.dryRun ? 'at most ' : ''}${formatBytes(afterBytes)} after`
      io.print(`${io.dryRun ? 'Would compact' : 'Compacted'} ${image}: ${sizes}`)
    }
    return 0
  },
}
