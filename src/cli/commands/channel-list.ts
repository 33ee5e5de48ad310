import { listChannels } from '../../operations/channels.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '',
  summary: 'List the channels that versions may come from.',
  options: [],
  examples: ['vmpkg channel list'],
  async run({ io }) {
    const channels = listChannels(await io.workspace())
    if (io.json) io.printJson('channels', { channels })
    else
      io.printTable(
        ['CHANNEL', 'PACKAGE'],
        channels.map((one) => [one.channel, one.package ?? 'all']),
      )
    return 0
  },
}
