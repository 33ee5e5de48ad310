import { imageCheck } from '../../operations/image-check.ts'
import { type CommandSpec, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<image>',
  summary: 'Check a disk image: the tables of its format, or every byte of a signed one. Repairs nothing.',
  description: 'The image is a file, or PACKAGE or PACKAGE:ROLE for one of an installed package.',
  options: [{ flags: '--format <format>', summary: 'raw, qcow2, vmdk, vdi or iso, where the name does not say' }],
  examples: ['vmpkg image check disk.qcow2', 'vmpkg image check app-console:disk'],
  async run({ args, options, io }) {
    const [image = ''] = args
    const checked = await imageCheck(await io.workspace(), { image, format: optionText(options, 'format') })
    if (io.json) io.printJson('image-check', { ...checked })
    else {
      io.print(`${image}: ${checked.isSound ? 'sound' : 'damaged'}`)
      for (const line of [...checked.faults, ...checked.notes]) io.print(`  ${line}`)
    }
    return checked.isSound ? 0 : 1
  },
}
