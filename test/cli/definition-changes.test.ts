import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatDefinitionChanges } from '../../src/cli/definition-changes.ts'
import type { DefinitionChange } from '../../src/render/definition-changes.ts'

const format = (...changes: readonly DefinitionChange[]): readonly string[] =>
  formatDefinitionChanges({ changes, conflicts: [], isWhole: true, isEdited: false })

test('a change is a line where it fits, else its values are below its path', () => {
  const memory = { kind: 'changed', node: 'text', path: 'memory/text()', before: '32768', after: '65536' } as const
  assert.deepEqual(format(memory), ['~ memory/text(): 32768 → 65536'])
  const long = { ...memory, after: 'x'.repeat(70) }
  assert.deepEqual(format(long), ['~ memory/text()', '    - 32768', `    + ${'x'.repeat(70)}`])
})

test('an element is laid out, one a line', () => {
  const added: DefinitionChange = {
    kind: 'added',
    node: 'element',
    path: 'devices/disk[vdb]',
    before: undefined,
    after: "<disk type='file'>\n\n   <source file='/a'/><readonly/></disk>",
  }
  assert.deepEqual(format(added), [
    '+ devices/disk[vdb]',
    "    + <disk type='file'>",
    "    +   <source file='/a'/>",
    '    +   <readonly/>',
    '    + </disk>',
  ])
  assert.deepEqual(format({ ...added, kind: 'moved', before: '1', after: '2' }), [
    '> devices/disk[vdb]: place 1 → place 2',
  ])
})

test('a conflict says all three values', () => {
  const conflicts = [{ path: 'vcpu', before: '1', after: '2', current: undefined }]
  assert.deepEqual(formatDefinitionChanges({ changes: [], conflicts, isWhole: true, isEdited: true }), [
    '! vcpu',
    '    was 1',
    '    the package makes it 2',
    '    you made it nothing',
  ])
})

test('no line is longer than 80 columns, and nothing of a value is lost', () => {
  const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 400 }).map((one) => one.toWellFormed())
  fc.assert(
    fc.property(text, text, text, (path, before, after) => {
      const lines = format({ kind: 'changed', node: 'attribute', path, before, after })
      for (const line of lines) assert.ok(line.length <= 80 && line.isWellFormed() && !/[\n\r]/.test(line), line)
      const said = lines.join('').replaceAll(/\s/g, '')
      for (const value of [before, after])
        assert.ok(said.includes(JSON.stringify(value).slice(1, -1).replaceAll(/\s/g, '')), value)
    }),
  )
})
