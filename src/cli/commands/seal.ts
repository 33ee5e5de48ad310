import { sealMachine } from '../../operations/seal.ts'
import { type CommandSpec, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<machine>',
  summary: 'Make a package of this host’s own from a stopped clone, to make further clones from.',
  description:
    'The package is the one that the machine is of, with the machine’s disk in one piece; it is signed by a key that only this host trusts and lies in source local. A clone’s name, machine id and random seed come from its configuration; passwords, host keys of an SSH server and logs are on the disk: remove first what clones must not share.',
  options: [
    { flags: '--name <name>', summary: 'name of the package (default: the machine’s)' },
    { flags: '--pkg-version <version>', summary: 'its version (default: the next one, from 1.0)' },
    { flags: '--summary <text>', summary: 'one line about it' },
    { flags: '--dry-run', summary: 'say what would be made' },
  ],
  examples: ['vmpkg seal app-console-1 --name console-with-tools', 'vmpkg seal --dry-run work'],
  async run({ args, options, io }) {
    const [machine = ''] = args
    const sealed = await sealMachine(await io.workspace({ write: !io.dryRun }), {
      machine,
      name: optionText(options, 'name'),
      version: optionText(options, 'pkgVersion'),
      summary: optionText(options, 'summary'),
      dryRun: io.dryRun,
    })
    const { name, version, source } = sealed
    if (io.json) io.printJson('seal', { ...sealed, dryRun: io.dryRun })
    else if (io.dryRun) io.print(`${name} ${version} would be added to source ${source}`)
    else io.print(`Added ${name} ${version} to source ${source}; run vmpkg install ${name}`)
    return 0
  },
}
