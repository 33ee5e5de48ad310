/** What a list of a guest may name, by random lists beside a plain model of where they would lead. */
import assert from 'node:assert/strict'
import { posix } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type CopyEntry, checkTree, staysWithin } from '../../src/domain/copy-tree.ts'

const word = fc.constantFrom('a', 'b', '..', '.', '', 'c d', 'é', '\n', '-rf')
const path = fc.array(word, { maxLength: 4 }).map((words) => words.join('/'))
const entry: fc.Arbitrary<CopyEntry> = fc.oneof(
  fc.record({ kind: fc.constant('directory' as const), path, mode: fc.constant(0o755) }),
  fc.record({ kind: fc.constant('file' as const), path, mode: fc.constant(0o644), size: fc.constant(1) }),
  fc.record({ kind: fc.constant('link' as const), path, target: path }),
)

describe('a list of a guest', () => {
  test('that is taken names nothing above its root, nothing twice, and nothing below a link or a file', () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 8 }), (entries) => {
        const list: readonly CopyEntry[] = [{ kind: 'directory', path: '', mode: 0o755 }, ...entries]
        try {
          checkTree(list, 'guest')
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'AGENT_REFUSED')
          return
        }
        const folders = new Set(list.flatMap((one) => (one.kind === 'directory' ? [one.path] : [])))
        for (const { path: one } of entries) {
          assert.ok(posix.join('/root', one).startsWith('/root/'), one)
          const names = one.split('/')
          for (let depth = 1; depth < names.length; depth++)
            assert.ok(folders.has(names.slice(0, depth).join('/')), one)
        }
        assert.equal(new Set(list.map((one) => one.path)).size, list.length)
      }),
      { numRuns: 2000 },
    )
  })

  test('is taken where it is honest', () => {
    const list: readonly CopyEntry[] = [
      { kind: 'directory', path: '', mode: 0o755 },
      { kind: 'directory', path: 'a', mode: 0o700 },
      { kind: 'file', path: 'a/new\nline', mode: 0o600, size: 3 },
      { kind: 'link', path: 'l', target: 'a' },
    ]
    assert.equal(checkTree(list, 'guest'), list)
  })
})

describe('a link of a guest', () => {
  for (const [at, target, stays] of [
    ['l', 'a', true],
    ['d/l', '../a', true],
    ['d/l', '../../a', false],
    ['l', '/etc/passwd', false],
    ['l', 'd/../..', false],
    ['d/l', '..', true],
    ['', 'a', false],
  ] as const) {
    test(`${at} to ${target} ${stays ? 'stays' : 'is left out'}`, () => {
      assert.equal(staysWithin({ kind: 'link', path: at, target }), stays)
    })
  }
})
