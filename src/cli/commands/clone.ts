import { clone } from '../../operations/clone.ts'
import { type CommandSpec, optionList, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<package>',
  summary:
    'Make a machine from an installed app package: a copy-on-write disk, an identity of its own, a port on a router’s LAN.',
  options: [
    { flags: '--name <name>', summary: 'name of the machine (default: the package’s name and a number)' },
    { flags: '--net <network>', summary: 'router LAN to attach it to, such as uni0' },
    { flags: '--ephemeral', summary: 'everything it wrote vanishes when it stops' },
    { flags: '--set <name=value>...', summary: 'set a parameter of the package (repeatable)' },
    { flags: '--profile <profile>...', summary: 'a named set of values, of the package or yours (repeatable)' },
    { flags: '--no-start', summary: 'define it but do not start it' },
    { flags: '--wait', summary: 'return when the machine is up and has its address' },
    { flags: '--dry-run', summary: 'print the libvirt XML and stop' },
  ],
  examples: ['vmpkg clone app-console', 'vmpkg clone app-console --ephemeral --name shell --net uni0 --wait'],
  async run({ args, options, io }) {
    const [packageName = ''] = args
    const result = await clone(await io.workspace({ write: !io.dryRun }), {
      package: packageName,
      name: optionText(options, 'name'),
      net: optionText(options, 'net'),
      ephemeral: options['ephemeral'] === true,
      set: optionList(options, 'set'),
      profiles: optionList(options, 'profile'),
      start: options['start'] !== false,
      wait: options['wait'] === true,
      dryRun: io.dryRun,
    })
    if (io.json) io.printJson('clone', { ...result })
    else if (io.dryRun) {
      for (const reason of result.placement?.reasons ?? []) io.note(reason)
      io.print(result.xml)
    } else io.print(`${result.name}${result.address === undefined ? '' : ` ${result.address}`}`)
    return 0
  },
}
