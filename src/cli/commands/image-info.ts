import { formatSize } from '../../model/size.ts'
import { type ImageInfo, imageInfo } from '../../operations/image-info.ts'
import { type CommandSpec, optionText } from '../command.ts'
import { formatBytes } from '../table.ts'

export const command: CommandSpec = {
  args: '<image>',
  summary: 'Show what a disk image is: format, sizes, what it stands on, partitions, who uses it.',
  description:
    'The image is a file, or PACKAGE or PACKAGE:ROLE for one of an installed package.\n' +
    'Headers are read, no other file is opened, and a machine may be running on it.',
  options: [
    { flags: '--format <format>', summary: 'raw, qcow2, vmdk, vdi or iso, where the name does not say' },
    { flags: '--backing', summary: 'also read what it stands on, for its partitions' },
  ],
  examples: ['vmpkg image info disk.qcow2', 'vmpkg image info app-console', 'vmpkg image info disk.img --format raw'],
  async run({ args, options, io }) {
    const [image = ''] = args
    const info = await imageInfo(await io.workspace(), {
      image,
      format: optionText(options, 'format'),
      backing: options['backing'] === true,
    })
    if (io.json) io.printJson('image-info', { ...info })
    else for (const [name, value] of rowsOf(info)) if (value !== '') io.print(`${name}: ${value}`)
    return 0
  },
}

function rowsOf(info: ImageInfo): readonly (readonly [string, string])[] {
  const { qcow2, contents } = info
  const blemishes = [qcow2?.isDirty === true ? 'not closed' : '', qcow2?.isCorrupt === true ? 'corrupt' : '']
  return [
    ['File', info.file],
    ['Package', info.package === undefined ? '' : `${info.package.name} ${info.package.version}, ${info.package.role}`],
    ['SHA256', info.package?.digest ?? ''],
    ['Format', qcow2 === undefined ? info.format : `${info.format} version ${qcow2.version}`],
    ['Disk', `${formatBytes(info.virtualSize)} (${formatSize(info.virtualSize)})`],
    ['Takes', `${formatBytes(info.diskBytes)} of ${formatBytes(info.fileBytes)}`],
    ['Cluster', qcow2 === undefined ? '' : formatSize(qcow2.clusterBytes)],
    [
      'Stands-On',
      qcow2?.backingFile === undefined ? '' : `${qcow2.backingFile} (${qcow2.backingFormat ?? 'no format'})`,
    ],
    ['Snapshots', qcow2 === undefined || qcow2.snapshots === 0 ? '' : String(qcow2.snapshots)],
    ['Marks', blemishes.filter((one) => one !== '').join(', ')],
    ['Contents', contents?.kind ?? ''],
    ...(contents?.partitions ?? []).map(
      ({ number, start, end, name, type }) =>
        [
          `Partition-${number}`,
          `${formatBytes(end - start)} at ${formatSize(start)}, ${name === '' ? type : name}`,
        ] as const,
    ),
    ['Used-By', info.users.map(({ name, isRunning }) => `${name}${isRunning ? ' (running)' : ''}`).join(', ')],
  ]
}
