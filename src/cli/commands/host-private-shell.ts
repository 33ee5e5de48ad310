import { runInHost } from '../../operations/host-private.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '[name] [program...]',
  summary: 'Run a program (default: your shell) inside a private host, where its networks and bridges are.',
  options: [],
  examples: [
    'vmpkg host private shell',
    'vmpkg host private shell lab -- ip address',
    'vmpkg host private shell lab -- virt-manager -c qemu:///system',
  ],
  async run({ args, io }) {
    const [name, ...program] = args
    return runInHost(await io.workspace(), { name, program })
  },
}
