/**
 * The types the reference prints, as a program: it compiles only where each method of the package takes what is printed
 * and gives what is printed, each event carries it, and every type that has a place on a page is exported.
 */
import { EVENTS, OBJECTS, TYPES } from './objects.ts'
import { eventText, methodType } from './types.ts'

const OTHERS = [
  'ConnectionClosed',
  'EventFeed',
  'EventOf',
  'LibvirtEmitter',
  'LibvirtError',
  'LibvirtStream',
  'Unknown',
]

export function typeChecks(): string {
  const names = OBJECTS.map(({ name }) => name)
  const methods = OBJECTS.flatMap(({ name, table }) =>
    Object.entries(table).map(
      ([method, row]) => `export const ${name}_${method}: ${methodType(row)} = the${name}.${method}`,
    ),
  )
  const events = EVENTS.map(
    ({ name, fields }) =>
      `export const ${name.replace('.', '_')} = (event: EventOf<'${name}'>): ${eventText(fields, false)} => event`,
  )
  const types = Object.values<Readonly<Record<string, readonly string[]>>>(TYPES).flatMap((files) =>
    Object.values(files).flat(),
  )
  return [
    `import type { ${[...names, ...OTHERS, ...types].join(', ')} } from 'vmpkg/libvirt'`,
    ...names.map((name) => `declare const the${name}: ${name}`),
    ...methods,
    ...events,
    '',
  ].join('\n')
}
