/** Files of a guest by its agent: with one that works on this machine, and with one that lies. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { chmod, lstat, mkdir, open, readdir, readFile, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { CopyEntry } from '../../src/domain/copy-tree.ts'
import { GuestSink, GuestSource } from '../../src/domain/guest-tree.ts'
import { type Lie, localAgent } from '../support/local-agent.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const outside = { randomness: { bytes: (count: number) => randomBytes(count) }, signal: new AbortController().signal }
const skip = process.getuid?.() !== 0 && 'needs to write into /run'

describe('files of a guest', { skip, timeout: 60_000 }, () => {
  test('come and go with names, modes, links and holes', async (t) => {
    const folder = await makeTempFolder(t)
    const from = join(folder, 'from')
    await mkdir(join(from, 'sub'), { recursive: true })
    await writeFile(join(from, 'sub', ' new\nline -rf \n'), 'content', { mode: 0o600 })
    await symlink('sub\n', join(from, 'link'))
    await using holes = await open(join(from, 'holes'), 'w')
    await holes.write('end', 5 * 1024 * 1024)
    await writeFile(join(from, 'empty'), '')
    await chmod(join(from, 'sub'), 0o711)
    const source = new GuestSource(localAgent(), from, { isRecursive: true, outside })
    const entries = await source.list()
    const agent = localAgent()
    const sink = new GuestSink(agent, join(folder, 'to'), outside)
    await sink.prepare(entries)
    const digests = new Map<string, string>()
    for (const entry of entries) {
      if (entry.kind !== 'file') continue
      await sink.write(entry, source.read(entry))
      digests.set(entry.path, source.digestOf(entry) ?? '')
    }
    await sink.finish(entries, digests)
    const again = await new GuestSource(localAgent(), join(folder, 'to'), { isRecursive: true, outside }).list()
    const byPath = (list: readonly CopyEntry[]): readonly CopyEntry[] =>
      list.toSorted((a, b) => (a.path < b.path ? -1 : 1))
    assert.deepEqual(byPath(again), byPath(entries))
    assert.equal(await readFile(join(folder, 'to', 'sub', ' new\nline -rf \n'), 'utf8'), 'content')
    assert.ok((await lstat(join(folder, 'to', 'holes'))).blocks * 512 < 1024 * 1024)
    assert.equal(agent.left().files, 0)
  })

  test('get no name where they arrive with other content', async (t) => {
    const folder = await makeTempFolder(t)
    await writeFile(join(folder, 'x'), 'mine')
    const file = { kind: 'file', path: '', mode: 0o644, size: 4 } as const
    const sink = new GuestSink(localAgent(), join(folder, 'x'), outside)
    await sink.prepare([file])
    const chunks = async function* (): AsyncGenerator<Buffer> {
      yield Buffer.from('yours')
    }
    await sink.write(file, chunks())
    const digests = new Map([['', createHash('sha256').update('other').digest('hex')]])
    await assert.rejects(sink.finish([file], digests), { code: 'AGENT_REFUSED' })
    await sink.abandon()
    assert.deepEqual([await readdir(folder), await readFile(join(folder, 'x'), 'utf8')], [['x'], 'mine'])
  })

  test('take away what a copy that was killed left a day ago, and nothing of one that may still run', async (t) => {
    const folder = await makeTempFolder(t)
    const [old, young] = ['.vmpkg-0123456789ab-0', '.vmpkg-ba9876543210-7']
    const others = ['.vmpkg-notes', '.vmpkg-0123456789ab-x', 'notes']
    for (const name of [old, young, ...others]) await writeFile(join(folder, name), '')
    const past = new Date(Date.now() - 25 * 3_600_000)
    for (const name of [old, ...others]) await utimes(join(folder, name), past, past)
    const file = { kind: 'file', path: '', mode: 0o644, size: 0 } as const
    const sink = new GuestSink(localAgent(), join(folder, 'x'), outside)
    await sink.prepare([file])
    await sink.abandon()
    assert.deepEqual((await readdir(folder)).toSorted(), [...others, young].toSorted())
  })

  test('that grow without end are read no further than they were', async () => {
    const piece = Buffer.alloc(1000).toString('base64')
    const endless: Lie = (execute) =>
      execute === 'guest-file-read' ? { count: 1000, 'buf-b64': piece, eof: false } : undefined
    const source = new GuestSource(localAgent(endless), '/etc/passwd', { isRecursive: false, outside })
    let read = 0
    await assert.rejects(
      async () => {
        for await (const chunk of source.read({ kind: 'file', path: '', mode: 0o644, size: 2500 })) read += chunk.length
      },
      { code: 'FILE_UNREADABLE' },
    )
    assert.equal(read, 2000)
  })

  for (const [what, path, code] of [
    ['a folder that was not asked for', '/etc', 'USAGE'],
    ['what is not there', '/no/such', 'FILE_NOT_FOUND'],
  ] as const) {
    test(`are refused for ${what}`, async () => {
      const source = new GuestSource(localAgent(), path, { isRecursive: false, outside })
      await assert.rejects(source.list(), { code })
    })
  }
})
