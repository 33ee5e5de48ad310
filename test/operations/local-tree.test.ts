/** Copies onto this host: a hostile guest's names and the links that lie about lead nowhere else. */
import assert from 'node:assert/strict'
import { lstat, mkdir, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { type CopyEntry, checkTree, type FileToCopy, staysWithin } from '../../src/domain/copy-tree.ts'
import { isVmpkgError } from '../../src/errors.ts'
import { LocalSink, LocalSource } from '../../src/operations/local-tree.ts'
import { readOwnIdentity } from '../../src/state/process-identity.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

async function* content(...chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* chunks
}

async function copy(sink: LocalSink, entries: readonly CopyEntry[]): Promise<void> {
  const taken = checkTree(entries, 'guest').filter((one) => one.kind !== 'link' || staysWithin(one))
  try {
    await sink.prepare(taken)
    for (const one of taken) if (one.kind === 'file') await sink.write(one, content(Buffer.from('guest')))
    await sink.finish(taken)
  } finally {
    await sink.abandon()
  }
}

async function makePlace(t: TestContext): Promise<{ readonly root: string; readonly outside: string }> {
  const folder = await makeTempFolder(t)
  const [root, outside] = [join(folder, 'to'), join(folder, 'outside')]
  await mkdir(root)
  await mkdir(outside)
  return { root, outside }
}

const directory = (path: string, mode = 0o755): CopyEntry => ({ kind: 'directory', path, mode })
const file = (path: string, mode = 0o644): FileToCopy => ({ kind: 'file', path, mode, size: 5 })

describe('a copy onto this host', () => {
  test('keeps modes without the bits of set-user-ID, links within it, and holes', async (t) => {
    const { root } = await makePlace(t)
    const sink = new LocalSink({ root, name: 'tree' })
    const holes: FileToCopy = { kind: 'file', path: 'd/holes', mode: 0o600, size: 3 * 1024 * 1024 }
    const entries = [
      directory('', 0o700),
      directory('d', 0o555),
      file('d/run', 0o4755),
      holes,
      { kind: 'link', path: 'l', target: 'd/run' } as const,
    ]
    await sink.prepare(entries)
    await sink.write(file('d/run', 0o4755), content(Buffer.from('guest')))
    await sink.write(holes, content(Buffer.alloc(1024 * 1024), Buffer.alloc(1024 * 1024, 1), Buffer.alloc(1024 * 1024)))
    await sink.finish(entries)
    const mode = async (path: string): Promise<number> => (await lstat(join(root, 'tree', path))).mode & 0o7777
    assert.deepEqual([await mode(''), await mode('d'), await mode('d/run')], [0o700, 0o555, 0o755])
    assert.equal(await readlink(join(root, 'tree', 'l')), 'd/run')
    const found = await lstat(join(root, 'tree', 'd', 'holes'))
    assert.equal(found.size, 3 * 1024 * 1024)
    assert.ok(found.blocks * 512 < 2 * 1024 * 1024, String(found.blocks))
    assert.deepEqual(await readdir(join(root, 'tree', 'd')), ['holes', 'run'])
  })

  test('takes away the half of a link that a killed one left, also where the copy fails', async (t) => {
    const { root } = await makePlace(t)
    const { pid, startTicks } = readOwnIdentity()
    await mkdir(join(root, 'tree'))
    await symlink('x', join(root, 'tree', `.l.vmpkg-${pid}-${startTicks + 1}.tmp`))
    const link = { kind: 'link', path: 'l', target: 'x' } as const
    await copy(new LocalSink({ root, name: 'tree' }), [directory(''), link])
    assert.deepEqual(await readdir(join(root, 'tree')), ['l'])
    await rm(join(root, 'tree', 'l'))
    await writeFile(join(root, 'tree', 'l'), 'mine')
    await assert.rejects(copy(new LocalSink({ root, name: 'tree' }), [directory(''), link]), { code: 'USAGE' })
    assert.deepEqual(await readdir(join(root, 'tree')), ['l'])
  })

  test('follows no link that lies where a folder would be made', async (t) => {
    const { root, outside } = await makePlace(t)
    await symlink(outside, join(root, 'tree'))
    await assert.rejects(copy(new LocalSink({ root, name: 'tree' }), [directory(''), file('x')]), { code: 'USAGE' })
    assert.deepEqual(await readdir(outside), [])
  })

  test('follows no link deeper in it, and replaces one that has a file’s name', async (t) => {
    const { root, outside } = await makePlace(t)
    await mkdir(join(root, 'tree'))
    await symlink(outside, join(root, 'tree', 'd'))
    await writeFile(join(outside, 'mine'), 'mine')
    await symlink(join(outside, 'mine'), join(root, 'tree', 'x'))
    const sink = new LocalSink({ root, name: 'tree' })
    await assert.rejects(copy(sink, [directory(''), directory('d'), file('d/y')]), { code: 'USAGE' })
    await copy(new LocalSink({ root, name: 'tree' }), [directory(''), file('x')])
    assert.equal(await readFile(join(outside, 'mine'), 'utf8'), 'mine')
    assert.equal(await readFile(join(root, 'tree', 'x'), 'utf8'), 'guest')
    assert.deepEqual(await readdir(outside), ['mine'])
  })

  test('never writes outside, whatever a guest lists and however often', async (t) => {
    const { root, outside } = await makePlace(t)
    await writeFile(join(outside, 'mine'), 'mine')
    const name = fc.constantFrom('a', 'b', '..', 'outside', 'mine')
    const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('/'))
    const target = fc.oneof(path, fc.constantFrom(outside, '../outside', '../../outside', '..', 'a/../../outside'))
    const entry = fc.oneof(
      path.map((one) => directory(one)),
      path.map((one) => file(one)),
      fc.record({ kind: fc.constant('link' as const), path, target }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { maxLength: 6 }), async (entries) => {
        await copy(new LocalSink({ root, name: 'tree' }), [directory(''), ...entries]).catch((error: unknown) => {
          // A file where a folder is, from an earlier list.
          if (!isVmpkgError(error) && !['EISDIR', 'ENOTDIR'].includes(String((error as { code?: string }).code)))
            throw error
        })
        assert.deepEqual(await readdir(outside), ['mine'])
        assert.equal(await readFile(join(outside, 'mine'), 'utf8'), 'mine')
        assert.ok((await readdir(root)).every((one) => one === 'tree'))
      }),
      { numRuns: 150 },
    )
  })
})

describe('a copy from this host', () => {
  test('lists links as links, and refuses a folder that was not asked for', async (t) => {
    const { root } = await makePlace(t)
    await symlink('/etc', join(root, 'l'))
    await writeFile(join(root, 'f'), 'x', { mode: 0o640 })
    await assert.rejects(new LocalSource(root, { isRecursive: false }).list(), { code: 'USAGE' })
    const [, f, l] = await new LocalSource(root, { isRecursive: true }).list()
    assert.deepEqual(f, { kind: 'file', path: 'f', mode: 0o640, size: 1 })
    assert.deepEqual(l, { kind: 'link', path: 'l', target: '/etc' })
  })
})
