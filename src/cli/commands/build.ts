import { buildTemplates } from '../../operations/build.ts'
import { type CommandSpec, optionList, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<template...>',
  summary:
    'Build the images of template folders from their recipes. Needs no root; the same inputs give the same bytes.',
  options: [
    { flags: '--out <folder>', summary: 'where built packages go (default: ./built)' },
    {
      flags: '--base <folder>...',
      summary: 'where built packages are that layers stand on, besides --out (repeatable)',
    },
    { flags: '--cache <folder>', summary: 'cache of downloaded Debian packages' },
    { flags: '--mirror <url>', summary: 'Debian mirror to use instead of this host’s own apt sources' },
    { flags: '--upstream-mirror <url>', summary: 'server to fetch vendors’ images from' },
  ],
  examples: [
    'vmpkg build templates/router-uni',
    'vmpkg build templates/router-uni templates/app-console --out /srv/built',
    'vmpkg build templates/app-base templates/app-firefox',
  ],
  async run({ args, options, io }) {
    const built = await buildTemplates(await io.workspace(), {
      templates: args,
      out: optionText(options, 'out') ?? 'built',
      bases: optionList(options, 'base'),
      cache: optionText(options, 'cache'),
      mirror: optionText(options, 'mirror'),
      upstreamMirror: optionText(options, 'upstreamMirror'),
    })
    if (io.json) io.printJson('build', { built })
    else for (const { folder } of built) io.print(folder)
    return 0
  },
}
