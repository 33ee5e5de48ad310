import { followChannel } from '../../operations/channels.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '<channel> [package...]',
  summary: 'Stop taking versions of a channel; installed ones stay.',
  options: [],
  examples: ['vmpkg channel unfollow testing', 'vmpkg channel unfollow testing router-uni'],
  async run({ args, io }) {
    const [channel = '', ...names] = args
    const changed = await followChannel(await io.workspace({ write: true }), channel, { names, isFollowed: false })
    if (io.json) io.printJson('channel', { channel, packages: names, isFollowed: false, changed })
    else {
      const where = names.length === 0 ? '' : ` for ${names.join(', ')}`
      io.print(changed ? `No longer following ${channel}${where}` : `Channel ${channel} is not followed${where}`)
    }
    return 0
  },
}
