import { startHost } from '../../operations/host-private.ts'
import { type CommandSpec, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '[name]',
  summary: 'Start a private host: a libvirt of your own in namespaces, with or without root.',
  options: [{ flags: '--uplink <kind>', summary: 'none (default) or slirp4netns: a way to the real network' }],
  examples: ['vmpkg host private start', 'vmpkg host private start lab --uplink slirp4netns'],
  async run({ args, options, io }) {
    const host = await startHost(await io.workspace(), { name: args[0], uplink: optionText(options, 'uplink') })
    if (io.json) io.printJson('private-host', { ...host })
    else for (const line of host.hints) io.print(line)
    return 0
  },
}
