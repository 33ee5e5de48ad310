import { VmpkgError } from '../../errors.ts'
import { createSnapshot } from '../../operations/snapshot-create.ts'
import { type CommandSpec, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<machine> [name]',
  summary: 'Take a snapshot of a machine: its disks, the variables of its UEFI, and its memory where you say so.',
  description:
    'Of a running machine the disks are as after a power cut, unless --quiesce has the\n' +
    'guest agent (qemu-guest-agent) write everything first, or --memory keeps what\n' +
    'runs. Without a name it is called by the time (UTC). virsh and virt-manager show\n' +
    'it too. An ephemeral machine and a router have nothing that a snapshot could keep.',
  options: [
    { flags: '--memory', summary: 'with the memory of the running guest' },
    { flags: '--disk-only', summary: 'without its memory (the default)' },
    { flags: '--quiesce', summary: 'the guest agent holds the file systems meanwhile' },
    { flags: '--description <text>', summary: 'what it is for' },
    { flags: '--dry-run', summary: 'say what would be in it, change nothing' },
  ],
  examples: ['vmpkg snapshot create demo before-upgrade', 'vmpkg snapshot create demo --memory --json'],
  async run({ args: [machine = '', name], options, io }) {
    if (options['memory'] === true && options['diskOnly'] === true) {
      throw new VmpkgError('USAGE', '--memory and --disk-only exclude one another')
    }
    const made = await createSnapshot(await io.workspace({ write: !io.dryRun }), {
      machine,
      name,
      description: optionText(options, 'description'),
      memory: options['memory'] === true,
      quiesce: options['quiesce'] === true,
      dryRun: io.dryRun,
    })
    if (io.json) io.printJson('snapshot-create', { dryRun: io.dryRun, ...made })
    else {
      const parts = [...made.disks, ...(made.nvram ? ['UEFI variables'] : []), ...(made.memory ? ['memory'] : [])]
      io.print(`${io.dryRun ? 'Would take' : 'Took'} the snapshot ${made.name} of ${made.machine}: ${parts.join(', ')}`)
    }
    return 0
  },
}
