import { type RenderReport, render } from '../../operations/render.ts'
import { type CommandSpec, type Io, optionList, optionText } from '../command.ts'
import { formatDefinitionChanges } from '../definition-changes.ts'

export const command: CommandSpec = {
  args: '<package>',
  summary: 'Print the libvirt XML that install or clone would define on this host. Nothing is changed.',
  description:
    'PACKAGE is installed, offered by a source, or a folder with a template or a built\n' +
    'package (./my-app). A machine that is there is rendered as that machine: a router\n' +
    'always, a clone with --name. What is not granted yet is named, and counts as granted.\n' +
    'What this host’s libvirt would refuse in it is told as warnings, and the exit status is 1;\n' +
    'with --diff it is 1 as well where defining it would change something.',
  options: [
    { flags: '--set <name=value>...', summary: 'set a parameter of the package (repeatable)' },
    { flags: '--profile <profile>...', summary: 'a named set of values, of the package or yours (repeatable)' },
    { flags: '--name <name>', summary: 'name of the machine of an app' },
    { flags: '--net <network>', summary: 'router LAN to attach it to, such as uni0' },
    { flags: '--network', summary: 'the networks of a router as well' },
    { flags: '--guest', summary: 'the files of its configuration medium as well' },
    { flags: '--explain', summary: 'where each value and each line comes from' },
    { flags: '--diff', summary: 'what it would change in what is defined in libvirt' },
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
    const isDiff = options['diff'] === true
    const isChanged = isDiff && report.documents.some((one) => one.kind !== 'guest' && isChange(one))
    const status = isChanged || report.violations.length > 0 ? 1 : 0
    if (io.json) {
      io.printJson('render', { ...report })
      return status
    }
    for (const note of report.notes) io.note(note)
    for (const { package: name, capability, reason } of report.missingGrants)
      io.note(`${name} is not granted ${capability} yet (${reason}): --grant ${capability}`)
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
      if (isDiff && document.kind !== 'guest') printDiff(io, document)
      else if (options['explain'] === true && document.kind !== 'guest') printPlaces(io, document)
      else io.print(document.text.trimEnd())
    }
    for (const violation of report.violations) warn(io, violation)
    return status
  },
}

type RenderedDocument = RenderReport['documents'][number]

function warn(io: Io, { code, document, path, line, reason, allowed }: RenderReport['violations'][number]): void {
  const place = line === undefined ? path : `${path} (line ${line})`
  const hint = allowed.length === 0 ? {} : { hint: `Allowed there: ${allowed.slice(0, 16).join(', ')}.` }
  io.emit({ type: 'warned', code, message: `${document}: ${place}: ${reason}`, ...hint })
}

/** What is not defined at all changes as a whole. */
function isChange({ comparison }: RenderedDocument): boolean {
  return comparison === undefined || comparison.changes.length + comparison.conflicts.length > 0
}

function printDiff(io: Io, document: RenderedDocument): void {
  const { name, comparison } = document
  if (comparison === undefined) {
    io.note(`${name} is not defined in libvirt: there is nothing to compare it with`)
    return
  }
  if (comparison.isEdited) io.note(`Your edits of ${name} stay`)
  if (!comparison.isWhole)
    io.note(`No former rendering of ${name} is known: what only its definition has is not compared`)
  if (!isChange(document)) io.note(`${name} is defined as this`)
  else for (const line of formatDefinitionChanges(comparison)) io.print(line)
}

/** Text on the left, its place on the right. */
function printPlaces(io: Io, { text, places }: RenderedDocument): void {
  const lines = text.trimEnd().split('\n')
  const width = Math.min(60, Math.max(...lines.map(({ length }) => length)))
  io.print(lines.map((line, at) => `${line.padEnd(width)}  ${places[at] ?? ''}`.trimEnd()).join('\n'))
}
