import { imageConvert } from '../../operations/image-convert.ts'
import { type CommandSpec, optionText } from '../command.ts'
import { formatBytes } from '../table.ts'

export const command: CommandSpec = {
  args: '<image> <out>',
  summary: 'Write a disk image in another format, as a file of your own.',
  description:
    'The image is a file (qcow2, raw, vmdk, vdi, iso, and .gz .xz .zst .bz2 of them), or PACKAGE or\n' +
    'PACKAGE:ROLE for one of an installed package. It stays as it is. The new file gets its name when\n' +
    'it is whole; Ctrl-C leaves nothing.',
  options: [
    { flags: '--format <format>', summary: 'of the new file, where its name does not say: raw, qcow2, vmdk, vdi' },
    { flags: '--from-format <format>', summary: 'of the image, where its name does not say' },
    { flags: '--compress', summary: 'compress inside the file: qcow2 (zstd) and vmdk' },
    { flags: '--backing', summary: 'also read what the image stands on, and copy it in' },
    { flags: '--max-size <size>', summary: 'of a packed file: what may come out (default 64GiB)' },
    { flags: '--force', summary: 'replace a file of that name' },
    { flags: '--dry-run', summary: 'say what would be written, and how large it gets' },
  ],
  examples: [
    'vmpkg image convert disk.vmdk disk.qcow2',
    'vmpkg image convert disk.qcow2.xz disk.raw',
    'vmpkg image convert app-console console.qcow2 --compress',
  ],
  async run({ args, options, io }) {
    const [image = '', out = ''] = args
    const result = await imageConvert(await io.workspace(), {
      image,
      out,
      format: optionText(options, 'format'),
      fromFormat: optionText(options, 'fromFormat'),
      compress: options['compress'] === true,
      backing: options['backing'] === true,
      force: options['force'] === true,
      maxSize: optionText(options, 'maxSize'),
      dryRun: io.dryRun,
    })
    if (io.json) io.printJson('image-convert', { ...result, dryRun: io.dryRun })
    else {
      const { fromFormat, format, virtualSize, neededBytes } = result
      const what = `${result.file}: ${format} of ${formatBytes(virtualSize)}, from ${fromFormat}`
      io.print(io.dryRun ? `Would write ${what}; takes up to ${formatBytes(neededBytes)}` : `Wrote ${what}`)
    }
    return 0
  },
}
