import { listUpstream } from '../../operations/upstream.ts'
import { type CommandSpec, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '[vendor]',
  summary: 'List operating system vendors, their flavours and the versions that can be fetched and verified.',
  options: [
    { flags: '--online', summary: 'ask the vendors for newer versions' },
    { flags: '--mirror <url>', summary: 'ask this server instead of the vendor’s own' },
  ],
  examples: ['vmpkg upstream list', 'vmpkg upstream list alpine --online'],
  async run({ args, options, io }) {
    const flavours = await listUpstream(await io.workspace(), {
      vendor: args[0],
      online: options['online'] === true,
      mirror: optionText(options, 'mirror'),
    })
    if (io.json) io.printJson('upstream-list', { flavours })
    else {
      io.printTable(
        ['VENDOR', 'FLAVOUR', 'FORMAT', 'VERSIONS', 'SUMMARY'],
        flavours.map((one) => [one.vendor, one.flavour, one.format, one.versions.slice(0, 6).join(' '), one.summary]),
      )
    }
    return 0
  },
}
