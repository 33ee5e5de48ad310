import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isVmpkgError } from '../../src/errors.ts'
import { parseMachinesConf } from '../../src/upstream/machines-conf.ts'

describe('parseMachinesConf', () => {
  test('reads sections with and without an address', () => {
    const [slax, dsl] = parseMachinesConf(
      `# machines\n\n[slax.iso]\nurl=https://example.org/slax.iso\ndescription=Slax,  small\n; note\n[dsl.ISO]\ndescription = by hand\n`,
    )
    assert.equal(slax?.url?.href, 'https://example.org/slax.iso')
    assert.equal(slax?.description, 'Slax,  small')
    assert.deepEqual([dsl?.file, dsl?.url, dsl?.description], ['dsl.ISO', undefined, 'by hand'])
  })

  test('takes what could steer a terminal out of descriptions', () => {
    const [entry] = parseMachinesConf('[a.iso]\ndescription=\u001b[31mred\u202e\n')
    assert.equal(entry?.description, '[31mred')
  })

  test('names the line that is wrong', () => {
    for (const [text, line] of [
      ['[a.exe]', 1],
      ['[../a.iso]', 1],
      ['[a/b.iso]', 1],
      ['url=x', 1],
      ['[a.iso]\nurl=https://user:pw@example.org/a.iso', 1],
      ['[a.iso]\nurl=javascript:alert(1)', 1],
      ['[a.iso]\nsha256=123', 1],
      ['[a.iso]\n[A.ISO]', 2],
      ['[a.iso]\nurl=\nurl=', 3],
      ['[a.iso]\nrun=rm', 2],
      ['[a.iso]\nnothing', 2],
    ] as const) {
      assert.throws(
        () => parseMachinesConf(text),
        (error) => isVmpkgError(error, 'MACHINES_INVALID') && error.details['line'] === line,
        text,
      )
    }
  })

  test('accepts or refuses any text, and never fails otherwise', () => {
    const line = fc.oneof(
      fc.string(),
      fc.constantFrom('[a.iso]', '[b.raw.xz]', 'url=https://example.org/', 'description=x', '#', ''),
    )
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        try {
          parseMachinesConf(lines.join('\n'))
        } catch (error) {
          assert.ok(isVmpkgError(error, 'MACHINES_INVALID'))
        }
      }),
    )
  })
})
