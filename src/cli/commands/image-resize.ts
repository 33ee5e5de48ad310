import { formatSize } from '../../model/size.ts'
import { imageResize } from '../../operations/image-resize.ts'
import { type CommandSpec, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<file> <size>',
  summary: 'Give the disk in a raw or qcow2 file another size.',
  description:
    'A smaller one only with --shrink, and never so that partitions, a file system or data are cut\n' +
    'off. The second copy of a GPT moves to the new end. Partitions and file systems grow in the\n' +
    'guest; what is to be done there is printed.',
  options: [
    { flags: '--format <format>', summary: 'raw or qcow2, where the name does not say' },
    { flags: '--shrink', summary: 'the disk may become smaller' },
    { flags: '--backing', summary: 'the file may stand on another, which is read' },
    { flags: '--dry-run', summary: 'check, and say what would be done' },
  ],
  examples: ['vmpkg image resize disk.qcow2 40GiB', 'vmpkg image resize disk.raw 8GiB --shrink --dry-run'],
  async run({ args, options, io }) {
    const [image = '', size = ''] = args
    const result = await imageResize(await io.workspace(), {
      image,
      size,
      format: optionText(options, 'format'),
      shrink: options['shrink'] === true,
      backing: options['backing'] === true,
      dryRun: io.dryRun,
    })
    if (io.json) io.printJson('image-resize', { ...result, dryRun: io.dryRun })
    else {
      const { before, after } = result
      const change = `from ${formatSize(before)} to ${formatSize(after)}`
      if (before === after) io.print(`${image} has ${formatSize(after)} already`)
      else io.print(`${io.dryRun ? 'Would resize' : 'Resized'} ${image} ${change}`)
      for (const step of result.guestSteps) io.note(step)
    }
    return 0
  },
}
