/**
 * The types the reference prints, as a program: it compiles only where each method of the package takes what is printed
 * and gives what is printed, and each event carries it.
 */
import { EVENTS, OBJECTS } from './objects.ts'
import { eventText, methodType } from './types.ts'

const TYPES = 'EventOf, LibvirtStream, ReadParameters, Unknown, WriteParameters'

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
  return [
    `import type { ${names.join(', ')}, ${TYPES} } from 'vmpkg/libvirt'`,
    ...names.map((name) => `declare const the${name}: ${name}`),
    ...methods,
    ...events,
    '',
  ].join('\n')
}
