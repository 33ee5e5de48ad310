import { followChannel } from '../../operations/channels.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '<channel> [package...]',
  summary: 'Also take versions of a channel, such as testing, for all packages or for some.',
  options: [],
  examples: ['vmpkg channel follow testing', 'vmpkg channel follow testing router-uni'],
  async run({ args, io }) {
    const [channel = '', ...names] = args
    const changed = await followChannel(await io.workspace({ write: true }), channel, { names, isFollowed: true })
    if (io.json) io.printJson('channel', { channel, packages: names, isFollowed: true, changed })
    else {
      const where = names.length === 0 ? '' : ` for ${names.join(', ')}`
      io.print(changed ? `Following ${channel}${where}` : `Channel ${channel} is followed already${where}`)
    }
    return 0
  },
}
