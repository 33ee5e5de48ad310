import assert from 'node:assert/strict'
import { chmod, mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { isWriteLocked, mayAccess, readFileFacts } from '../../src/host/preflight-files.ts'
import { realProcesses } from '../support/real-processes.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const nobody = { uid: 65_534, gids: [65_534] }

test('rights are those of the first class that the user is in, as the kernel has it', () => {
  const file = { uid: 1, gid: 2, mode: 0o604 }
  assert.equal(mayAccess(file, { uid: 1, gids: [] }, 2), true)
  assert.equal(mayAccess(file, { uid: 9, gids: [2] }, 4), false)
  assert.equal(mayAccess(file, { uid: 9, gids: [3] }, 4), true)
  assert.equal(mayAccess(file, { uid: 9, gids: [3] }, 2), false)
  assert.equal(mayAccess({ ...file, mode: 0 }, { uid: 0, gids: [] }, 2), true)
})

test('an access list may give rights that the mode shows as the group’s, so those refuse nobody', () => {
  assert.equal(mayAccess({ uid: 1, gid: 2, mode: 0o750 }, { uid: 9, gids: [3] }, 1), true)
  assert.equal(mayAccess({ uid: 1, gid: 2, mode: 0o700 }, { uid: 9, gids: [3] }, 1), false)
})

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
  const { dev, ino } = await stat(path)
  const hex = (value: number): string => value.toString(16).padStart(2, '0')
  const place = `${hex((dev >> 8) & 0xfff)}:${hex((dev & 0xff) | ((dev >> 12) & 0xfff00))}:${ino}`
  const line = (kind: string, bytes: string, where = place): string =>
    `1: ${kind} ADVISORY  READ -1 ${where} ${bytes}\n`
  assert.equal(isWriteLocked(line('OFDLCK', '201 201'), { dev, ino }), true)
  assert.equal(isWriteLocked(line('OFDLCK', '100 101'), { dev, ino }), true)
  assert.equal(isWriteLocked(line('OFDLCK', '100 100') + line('OFDLCK', '203 203'), { dev, ino }), false)
  assert.equal(isWriteLocked(line('POSIX', '201 201'), { dev, ino }), false)
  assert.equal(isWriteLocked(line('OFDLCK', '201 201', `${place}9`), { dev, ino }), false)
})
