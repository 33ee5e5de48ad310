import { render } from '../../operations/render.ts'
import { type CommandSpec, type Io, optionList, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<package>',
  summary: 'Print the libvirt XML that install or clone would define on this host. Nothing is changed.',
  description:
    'PACKAGE is installed, offered by a source, or a folder with a template or a built\n' +
    'package (./my-app). A machine that is there is rendered as that machine: a router\n' +
    'always, a clone with --name. Capabilities count as granted.',
  options: [
    { flags: '--set <name=value>...', summary: 'set a parameter of the package (repeatable)' },
    { flags: '--profile <profile>...', summary: 'a named set of values, of the package or yours (repeatable)' },
    { flags: '--name <name>', summary: 'name of the machine of an app' },
    { flags: '--net <network>', summary: 'router LAN to attach it to, such as uni0' },
    { flags: '--network', summary: 'the networks of a router as well' },
    { flags: '--guest', summary: 'the files of its configuration medium as well' },
    { flags: '--explain', summary: 'where each value and each line comes from' },
    { flags: '--diff', summary: 'the difference from what is defined in libvirt' },
  ],
  examples: [
    'vmpkg render router-uni --set memory=256MiB --diff',
    'vmpkg render ./my-app --profile gaming --explain',
    'vmpkg render router-uni --network --guest',
  ],
  async run({ args, options, io }) {
    const [target = ''] = args
    const report = await render(await io.workspace(), {
      target,
      set: optionList(options, 'set'),
      profiles: optionList(options, 'profile'),
      name: optionText(options, 'name'),
      net: optionText(options, 'net'),
      networks: options['network'] === true,
      guestFiles: options['guest'] === true,
    })
    if (io.json) {
      io.printJson('render', { ...report })
      return 0
    }
    for (const note of report.notes) io.note(note)
    if (report.missingGrants.length > 0) io.note(`Not granted yet: ${report.missingGrants.join(', ')}`)
    if (options['explain'] === true) {
      io.printTable(
        ['VALUE', 'IS', 'FROM'],
        report.values.map(({ name, value, origin }) => [name, value, origin]),
        'whole',
      )
      io.print('')
    }
    for (const document of report.documents) {
      if (report.documents.length > 1) io.print(`==> ${document.kind} ${document.name} <==`)
      if (options['diff'] === true && document.kind !== 'guest') printDiff(io, document)
      else if (options['explain'] === true && document.kind !== 'guest') printPlaces(io, document)
      else io.print(document.text.trimEnd())
    }
    return 0
  },
}

type RenderedDocument = Awaited<ReturnType<typeof render>>['documents'][number]

function printDiff(io: Io, { name, diff }: RenderedDocument): void {
  if (diff === undefined) io.note(`${name} is not defined in libvirt: there is nothing to compare it with`)
  else if (diff === '') io.note(`${name} is defined as this`)
  else io.print(diff)
}

/** Text on the left, its place on the right. */
function printPlaces(io: Io, { text, places }: RenderedDocument): void {
  const lines = text.trimEnd().split('\n')
  const width = Math.min(60, Math.max(...lines.map(({ length }) => length)))
  io.print(lines.map((line, at) => `${line.padEnd(width)}  ${places[at] ?? ''}`.trimEnd()).join('\n'))
}
