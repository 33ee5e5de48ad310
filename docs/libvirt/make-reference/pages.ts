/** Every page of the reference, made of the tables and of the comments in their source. */
import { join } from 'node:path'
import { classText, declarationText } from './class-text.ts'
import { type Group, groupsOf, namesIn, noNames } from './comments.ts'
import { blocks, fenced, fieldList, methodText } from './method-text.ts'
import { EVENTS, OBJECTS, type ObjectPage, TYPES } from './objects.ts'
import { SourceFiles } from './source.ts'
import { eventText } from './types.ts'

const SOURCE = join(import.meta.dirname, '../../../src/libvirt')

export interface Page {
  /** As `domain.md`. */
  readonly name: string
  readonly text: string
}

export function makePages(): Page[] {
  const files = new SourceFiles()
  const source = (name: string) => files.file(join(SOURCE, name))
  const objects = OBJECTS.map((object) => page(object.page, objectText(object, files)))
  return [
    page('README', indexText(files)),
    ...objects,
    page(
      'events',
      blocks([
        '# Events',
        eventsIntro,
        '## `EventFeed`',
        classText(source('event-feed.ts'), 'EventFeed'),
        '## `LibvirtEmitter`',
        classText(source('emitter.ts'), 'LibvirtEmitter'),
        ...typeTexts('events', files),
        ...eventTexts(files),
      ]),
    ),
    page(
      'streams',
      blocks([
        '# Streams',
        source('stream.ts').head?.text,
        '## `LibvirtStream`',
        classText(source('stream.ts'), 'LibvirtStream'),
        ...typeTexts('streams', files),
      ]),
    ),
    page(
      'errors',
      blocks([
        '# Errors',
        source('error.ts').head?.text,
        '## `LibvirtError`',
        classText(source('error.ts'), 'LibvirtError'),
        '## `ConnectionClosed`',
        source('error.ts').declaration('ConnectionClosed').doc?.text,
      ]),
    ),
    page(
      'parameters',
      blocks(['# Typed parameters', source('parameters.ts').head?.text, ...typeTexts('parameters', files)]),
    ),
  ]
}

const eventsIntro = `\`connect.events(name, { object?, signal? })\` gives a feed of one kind of event, \`connect.emitter()\` an emitter of all. The names are below, with what each event carries.`

/** The types of a page that are no classes. */
function typeTexts(name: keyof typeof TYPES, files: SourceFiles): string[] {
  return Object.entries(TYPES[name]).flatMap(([file, types]: [string, readonly string[]]) =>
    types.map((type) => declarationText(files.file(join(SOURCE, file)), type)),
  )
}

/** The groups of an object's methods, in the order of its table. */
export function objectGroups(object: ObjectPage, files: SourceFiles): readonly Group[] {
  return groupsOf(object.tableName, files.file(join(SOURCE, object.file)))
}

function objectText(object: ObjectPage, files: SourceFiles): string {
  const file = files.file(join(SOURCE, object.file))
  const groups = objectGroups(object, files)
  return blocks([
    `# ${object.name}`,
    classText(file, object.name).replaceAll(/^### /gm, '## '),
    ...(object.name === 'Connect' ? typeTexts('connect', files).map((text) => text.replace(/^### /, '## ')) : []),
    ...groups.flatMap((group) => [
      groups.length > 1 ? `## ${titleOf(group.name)}` : '## Methods',
      groups.length > 1 && groups.find(({ doc }) => doc?.text === group.doc?.text) === group
        ? group.doc?.text
        : undefined,
      ...[...group.rows].map(([name, named]) => {
        const row = object.table[name]
        if (row === undefined) throw new Error(`${object.tableName} has no ${name}`)
        return methodText(name, row, named)
      }),
    ]),
  ])
}

function eventTexts(files: SourceFiles): string[] {
  const names = namesIn(files.file(join(SOURCE, 'events.ts')).constant('events'))
  return EVENTS.map(({ name, fields, since }) => {
    const named = names.get(name)
    return blocks([
      `## \`${name}\``,
      fenced(eventText(fields, true)),
      named?.doc?.text,
      fieldList(fields, named?.names() ?? noNames, 0),
      `libvirt ${since}`,
    ])
  })
}

function indexText(files: SourceFiles): string {
  const rows = OBJECTS.map((object) => {
    const count = objectGroups(object, files).reduce((sum, group) => sum + group.rows.size, 0)
    return `| [${object.name}](${object.page}.md) | ${count} |`
  })
  return blocks([
    '# Reference of vmpkg/libvirt',
    INDEX,
    ['| object | methods |', '| --- | --- |', ...rows].join('\n'),
    `[Events](events.md) (${EVENTS.length} kinds) · [Streams](streams.md) · [Errors](errors.md) · [Typed parameters](parameters.md)`,
  ])
}

const INDEX = `Made from the source by \`npm run reference\`; the README of the client says how its parts work together.

- Every method takes one object. Beside what its signature shows it takes \`signal\` (an \`AbortSignal\`) and \`timeoutMs\`.
- A list of flags may be left out; it holds names, and each method lists them. \`…\` in a signature stands for more names, listed below it.
- Wherever names are listed, \`unknown(n)\` may come or be given for a number that is newer than this client.
- 64-bit numbers are \`bigint\`. Where an object is taken (a \`Domain\`, say), its identity is enough: \`{ name, uuid, id }\`.
- The last line of a method names the release of libvirt that has it first and libvirt's own function, whose documentation tells more.
- Every call may fail with a \`LibvirtError\` or with \`ConnectionClosed\`; the errors listed are those to expect.`

/** `lifeMethods` is `Life`, `domainLookups` is `Domain lookups`. */
function titleOf(constant: string): string {
  const words = constant
    .replace(/Methods$/, '')
    .replaceAll(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase()
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}`
}

function page(name: string, text: string): Page {
  return { name: `${name}.md`, text: `${text}\n` }
}
