import { VmpkgError } from '../../errors.ts'
import { listBases, type NewRequest, newPackage } from '../../operations/new-package.ts'
import { type CommandSpec, type Io, optionList, optionText } from '../command.ts'
import { formatCommand } from '../shell-words.ts'

const FIRST_CHOICE = 'app-console'

export const command: CommandSpec = {
  args: '[name]',
  summary: 'Begin a package of your own from one that is there; it builds and lints at once.',
  description:
    'Copies the manifest, templates, recipe and guest files under the new name, and\n' +
    'puts JSON Schemas beside it, which editors use to complete and check the YAML.\n' +
    'Without a name it asks on a terminal. --from takes a package that comes with\n' +
    'vmpkg (vmpkg new --list) or the path of a package folder.',
  options: [
    { flags: '--from <package>', summary: `what to begin with (default: ${FIRST_CHOICE})` },
    { flags: '--summary <text>', summary: 'one line that says what it is' },
    { flags: '--description <text>', summary: 'more about it' },
    { flags: '--license <id>', summary: 'SPDX identifier of your package' },
    { flags: '--kind <kind>', summary: 'os-image, router, controller, app or utility' },
    { flags: '--depends <relation>...', summary: 'what it needs, such as "router-uni (>= 1.0)"' },
    { flags: '--out <folder>', summary: 'where its folder is made (default: here)' },
    { flags: '--list', summary: 'list the packages to begin with' },
    { flags: '--dry-run', summary: 'print the files that would be made' },
  ],
  examples: [
    'vmpkg new app-editor --summary "Text editor behind a router"',
    'vmpkg new my-router --from router-uni --out ./packages',
    'vmpkg new --list',
  ],
  async run({ args, options, io }) {
    if (options['list'] === true) {
      const bases = await listBases()
      if (io.json) io.printJson('bases', { bases })
      else
        io.printTable(
          ['PACKAGE', 'KIND', 'SUMMARY'],
          bases.map((one) => [one.name, one.kind, one.summary]),
        )
      return 0
    }
    const given: NewRequest = {
      name: args[0] ?? '',
      from: optionText(options, 'from') ?? FIRST_CHOICE,
      summary: optionText(options, 'summary'),
      description: optionText(options, 'description'),
      license: optionText(options, 'license'),
      kind: optionText(options, 'kind'),
      depends: optionList(options, 'depends'),
      out: optionText(options, 'out') ?? '.',
      dryRun: io.dryRun,
    }
    const request = args.length === 0 ? await ask(io, given) : given
    const made = await newPackage(await io.workspace(), request)
    if (io.json) io.printJson('new', { dryRun: io.dryRun, ...made })
    else {
      if (args.length === 0) io.note(`The same without questions: ${asCommand(request)}`)
      for (const path of [...made.files.map((file) => `${request.name}/${file}`), ...made.beside])
        io.print(io.dryRun ? `Would make ${path}` : path)
      for (const { severity, subject, message } of made.findings) io.note(`${severity}: ${subject}: ${message}`)
      if (!io.dryRun) {
        io.note(`Made ${made.folder}`)
        io.note(`Next: edit ${request.name}/vmpkg.yaml, then vmpkg lint ${made.folder} && vmpkg build ${made.folder}`)
      }
    }
    return 0
  },
}

/** What a package cannot be begun without, with what was given as the answers to take. */
async function ask(io: Io, given: NewRequest): Promise<NewRequest> {
  if (!io.stdin.isTTY || io.json || io.assumeYes) {
    throw new VmpkgError('USAGE', 'new needs the name of the package', {
      hint: 'As in: vmpkg new app-editor --summary "Text editor behind a router"',
    })
  }
  for (const { name, summary } of await listBases()) io.note(`  ${name.padEnd(20)} ${summary}`)
  const from = await io.ask('Begin with', given.from)
  const name = await io.ask('Name of the package', '')
  const summary = await io.ask('What it is, in one line', given.summary ?? '')
  return { ...given, from, name, summary: summary === '' ? undefined : summary }
}

function asCommand({ name, from, summary }: NewRequest): string {
  return formatCommand('new', [name], { from, summary })
}
