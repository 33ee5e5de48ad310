import { attachData } from '../../operations/data-attach.ts'
import { type CommandSpec, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<disk> <machine>',
  summary: 'Give a data disk that nobody has to another machine.',
  description:
    'DISK is MACHINE/DATA as vmpkg data list shows it. The guest finds it by its\n' +
    'serial number, and mounts it where it wants: /dev/disk/by-id/virtio-vmpkg-DATA.',
  options: [
    { flags: '--as <name>', summary: 'for its serial number (default: the name of the data)' },
    { flags: '--dry-run', summary: 'say what would be attached and change nothing' },
  ],
  examples: ['vmpkg data attach browser/home work', 'vmpkg data attach old/home work --as oldhome'],
  async run({ args: [disk = '', machine = ''], options, io }) {
    const workspace = await io.workspace({ write: !io.dryRun })
    const place = await attachData(workspace, { disk, machine, as: optionText(options, 'as'), dryRun: io.dryRun })
    if (io.json) io.printJson('data-attach', { ...place })
    else {
      io.print(`${io.dryRun ? 'Would attach' : 'Attached'} ${disk} to ${place.machine} as ${place.target}`)
      io.note(`In the guest it is /dev/disk/by-id/virtio-${place.serial}`)
    }
    return 0
  },
}
