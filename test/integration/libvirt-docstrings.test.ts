/** Every method of the libvirt client says what it does, and which errors to expect by names that there are. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { OBJECTS } from '../../docs/libvirt/make-reference/objects.ts'
import { objectGroups } from '../../docs/libvirt/make-reference/pages.ts'
import { SourceFiles } from '../../docs/libvirt/make-reference/source.ts'
import type { Shape } from '../../src/libvirt/codecs.ts'
import { LibvirtError } from '../../src/libvirt/error.ts'
import { sessionMethods } from '../../src/libvirt/link.ts'

const files = new SourceFiles()
const rows = OBJECTS.flatMap((object) =>
  objectGroups(object, files).flatMap((group) =>
    [...group.rows].map(([name, { doc }]) => ({ name: `${object.name}.${name}`, doc })),
  ),
)

const ERRORS = new Set(
  Array.from({ length: 200 }, (_, code): string => {
    return new LibvirtError({ code, domain: 0, message: '', level: 2, int1: 0, int2: 0, texts: [] }).codeName
  }).filter((name) => !name.startsWith('unknown(')),
)
const METHODS = new Set(OBJECTS.flatMap(({ table }) => Object.keys(table)))
/** Arguments, flags, choices and parameters of all rows: what else the text of an error may name. */
const WORDS = new Set(
  [sessionMethods.open, ...OBJECTS.flatMap(({ table }) => Object.values(table))].flatMap(({ args, result }) =>
    wordsOf({ kind: 'struct', fields: { ...args, ...result } }),
  ),
)

function wordsOf(shape: Shape): string[] {
  switch (shape.kind) {
    case 'list':
    case 'maybe':
      return wordsOf(shape.of)
    case 'struct':
      return Object.entries(shape.fields).flatMap(([name, codec]) => [name, ...wordsOf(codec.shape)])
    case 'choice':
    case 'flags':
      return Object.keys(shape.numbers)
    case 'parameters':
      return Object.keys(shape.known)
    case 'scalar':
    case 'object':
      return []
  }
}

/** A word of a table, or a part of one, as `total_…` or `floor`. */
function isOfTable(word: string): boolean {
  const part = word.replaceAll('…', '')
  return [...WORDS].some((one) => one === word || (part.length > 2 && one.includes(part)))
}

const quoted = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word)

describe('the comments of the libvirt tables', () => {
  test('say of every method what it does', () => {
    assert.deepEqual(
      rows.filter(({ doc }) => doc === undefined || doc.text === '').map(({ name }) => name),
      [],
    )
  })

  test('name an error, or the method that throws the same, wherever they say that one is thrown', () => {
    assert.deepEqual(
      rows.flatMap(({ name, doc }) =>
        (doc?.throws ?? [])
          .filter(
            (text) =>
              text.startsWith('{LibvirtError}') && !quoted(text).some((one) => ERRORS.has(one) || METHODS.has(one)),
          )
          .map((text) => `${name}: ${text}`),
      ),
      [],
    )
  })

  test('use no word as a name there that is neither an error nor of a table', () => {
    assert.deepEqual(
      rows.flatMap(({ name, doc }) =>
        (doc?.throws ?? [])
          .flatMap(quoted)
          .filter((word) => !ERRORS.has(word) && !METHODS.has(word) && !isOfTable(word))
          .map((word) => `${name}: ${word}`),
      ),
      [],
    )
  })
})
