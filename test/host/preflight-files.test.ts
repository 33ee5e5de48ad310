import assert from 'node:assert/strict'
import { chmod, mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { FileFact } from '../../src/host/preflight-facts.ts'
import { isWriteLocked, readFileFacts } from '../../src/host/preflight-files.ts'
import type { Processes } from '../../src/ports.ts'
import { lockLine } from '../support/lock-line.ts'
import { realProcesses } from '../support/real-processes.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const nobody = { uid: 65_534, gids: [65_534] }

test('the first folder that QEMU’s user may not search is named', async (t) => {
  const folder = await makeTempFolder(t)
  await chmod(folder, 0o755)
  await mkdir(join(folder, 'home', 'ann', 'images'), { recursive: true })
  await chmod(join(folder, 'home', 'ann'), 0o700)
  const path = join(folder, 'home', 'ann', 'images', 'a.img')
  await writeFile(path, 'x')
  const facts = await readFileFacts([path], nobody)
  assert.equal(facts.get(path)?.closedFolder, join(folder, 'home', 'ann'))
  assert.equal((await readFileFacts([path], undefined)).get(path)?.closedFolder, undefined)
})

test('an access list opens a folder that its mode closes, and a folder without one stays closed', async (t) => {
  const folder = await makeTempFolder(t)
  await chmod(folder, 0o755)
  const home = join(folder, 'ann')
  await mkdir(home)
  await chmod(home, 0o750)
  const path = join(home, 'a.img')
  await writeFile(path, 'x')
  await chmod(path, 0o640)
  const asked: string[] = []
  const answering = (search: string, read: string): Processes => ({
    run: async (program, args) => {
      const file = args.at(-1) ?? ''
      asked.push(`${program} ${file}`)
      const named = file === home ? search : read
      return { exitCode: 0, stdout: `user::rwx\n${named}group::r-x\nmask::r-x\nother::---\n\n`, stderr: '' }
    },
  })
  const factOf = async (processes?: Processes): Promise<FileFact | undefined> =>
    (await readFileFacts([path], nobody, { processes })).get(path)
  const closed = await factOf(answering('', ''))
  assert.deepEqual([closed?.closedFolder, closed?.isReadable], [home, false])
  assert.deepEqual(asked, [`getfacl ${home}`, `getfacl ${path}`])
  const open = await factOf(answering('user:65534:--x\n', 'user:65534:r--\n'))
  assert.deepEqual([open?.closedFolder, open?.isReadable, open?.isWritable], [undefined, true, false])
  const unknown = await factOf()
  assert.deepEqual([unknown?.closedFolder, unknown?.isReadable], [undefined, true])
})

test('a chain that qemu-img made is followed to its end, relative names and all', async (t) => {
  const folder = await makeTempFolder(t)
  const run = async (...args: readonly string[]): Promise<void> => {
    const { exitCode, stderr } = await realProcesses.run('qemu-img', ['create', '-q', ...args], { cwd: folder })
    assert.equal(exitCode, 0, stderr)
  }
  await run('-f', 'raw', 'base.img', '1M')
  await run('-f', 'qcow2', '-b', 'base.img', '-F', 'raw', 'middle.qcow2')
  await run('-f', 'qcow2', '-o', 'compat=0.10', '-b', join(folder, 'middle.qcow2'), '-F', 'qcow2', 'top.qcow2')
  const at = (name: string): string => join(folder, name)
  const facts = await readFileFacts([at('top.qcow2')], undefined)
  assert.deepEqual(
    [...facts].map(([path, { kind, format, backing }]) => [path, kind, format, backing]),
    [
      [at('top.qcow2'), 'file', 'qcow2', { file: at('middle.qcow2'), format: 'qcow2' }],
      [at('middle.qcow2'), 'file', 'qcow2', { file: at('base.img'), format: 'raw' }],
      [at('base.img'), 'file', 'raw', undefined],
    ],
  )
})

test('folders, devices and what is not there are told apart; an empty file is no image', async (t) => {
  const folder = await makeTempFolder(t)
  await writeFile(join(folder, 'empty'), '')
  const facts = await readFileFacts([folder, '/dev/null', join(folder, 'none'), join(folder, 'empty')], undefined)
  assert.deepEqual(
    [...facts.values()].map(({ kind, format }) => [kind, format]),
    [
      ['folder', undefined],
      ['other', undefined],
      ['missing', undefined],
      ['file', 'raw'],
    ],
  )
})

test('only a lock on the bytes that QEMU takes for writing counts', async (t) => {
  const path = join(await makeTempFolder(t), 'a')
  await writeFile(path, '')
  const own = await stat(path)
  const isLocked = async (...lines: readonly Promise<string>[]): Promise<boolean> =>
    isWriteLocked((await Promise.all(lines)).join(''), own)
  assert.equal(await isLocked(lockLine(path)), true)
  assert.equal(await isLocked(lockLine(path, '100 101')), true)
  assert.equal(await isLocked(lockLine(path, '100 100'), lockLine(path, '203 203')), false)
  assert.equal(await isLocked(lockLine(path, '201 201', { kind: 'POSIX' })), false)
  assert.equal(await isLocked(lockLine(path, '201 201', { more: '9' })), false)
})

test('locks are told only of files that may have one', async (t) => {
  const folder = await makeTempFolder(t)
  const [held, free] = [join(folder, 'held'), join(folder, 'free')]
  for (const path of [held, free]) await writeFile(path, '')
  await writeFile(join(folder, 'locks'), (await lockLine(held)) + (await lockLine(free)))
  const facts = await readFileFacts([held, free], undefined, { proc: folder, mayBeLocked: (path) => path === held })
  assert.deepEqual([facts.get(held)?.isLocked, facts.get(free)?.isLocked], [true, false])
})
