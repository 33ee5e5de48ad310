import { VmpkgError } from '../../errors.ts'
import { exportShorewall } from '../../operations/router-export.ts'
import { type CommandSpec, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<router>',
  summary: 'Write the policy of a router as files of Shorewall.',
  description:
    'For a machine of yours that keeps Shorewall: zones, interfaces, hosts, policy,\n' +
    'rules, snat and shorewall.conf, as the rules of the router are now. Routers of\n' +
    'the layers uni and gal have one. Nothing is loaded; shorewall check DIR looks\n' +
    'at it.',
  options: [
    { flags: '--shorewall <folder>', summary: 'where the files go; it is made, or has to be empty' },
    { flags: '--wan <device>', summary: 'network device towards the outside (default wan)' },
    { flags: '--lan <device>', summary: 'network device of the LAN (default lan)' },
    { flags: '--tunnel <device>', summary: 'network device of the VPN, with layer gal (default tunnel)' },
    { flags: '--house <subnet>', summary: 'the network on the WAN’s side, with layer uni, for a zone of its own' },
    { flags: '--force', summary: 'write into a folder that is not empty' },
    { flags: '--dry-run', summary: 'print the files, write none' },
  ],
  examples: [
    'vmpkg router export router-uni --shorewall ./shorewall',
    'vmpkg router export router-gal --shorewall ./shorewall --wan eth0 --lan eth1 --tunnel tun0',
    'vmpkg router export router-uni --shorewall ./shorewall --dry-run',
  ],
  async run({ args: [router = ''], options, io }) {
    const folder = optionText(options, 'shorewall')
    if (folder === undefined) {
      throw new VmpkgError('USAGE', 'No format is named', { hint: 'Add --shorewall FOLDER.' })
    }
    const made = await exportShorewall(await io.workspace(), {
      router,
      folder,
      devices: {
        wan: optionText(options, 'wan') ?? 'wan',
        lan: optionText(options, 'lan') ?? 'lan',
        tunnel: optionText(options, 'tunnel') ?? 'tunnel',
      },
      house: optionText(options, 'house'),
      force: options['force'] === true,
      dryRun: io.dryRun,
    })
    if (io.json) io.printJson('router-export', { dryRun: io.dryRun, ...made })
    else if (io.dryRun) for (const { name, text } of made.files) io.print(`==> ${name} <==\n${text}`)
    else io.print(`Wrote ${made.files.map(({ name }) => name).join(', ')} to ${made.folder}`)
    return 0
  },
}
