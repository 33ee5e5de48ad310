import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chown, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { systemProcesses } from '../../src/node/processes.ts'
import { makeErofs, makeExt4, makeExt4At, makeSparseFile, uuidFrom } from '../../src/publish/filesystem.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const tools = { processes: systemProcesses, epoch: 1_767_225_600 }

async function makeTree(folder: string, order: readonly string[]): Promise<string> {
  const root = join(folder, 'root')
  await mkdir(join(root, 'etc'), { recursive: true })
  for (const name of order) await writeFile(join(root, 'etc', name), `${name}\n`.repeat(500), { mode: 0o644 })
  await symlink('etc/a', join(root, 'link'))
  return root
}

const digest = async (path: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex')

describe('makeExt4', () => {
  test('gives the same bytes for the same files, whatever their order and time', async (t) => {
    const digests: string[] = []
    for (const order of [
      ['a', 'b', 'c d'],
      ['c d', 'b', 'a'],
    ]) {
      const folder = await makeTempFolder(t)
      const target = join(folder, 'disk')
      const root = await makeTree(folder, order)
      await makeExt4(tools, { root, target, uuid: uuidFrom('x'), label: 'test', sizeBytes: 16 * 1024 * 1024 })
      execFileSync('e2fsck', ['-fn', target], { stdio: 'ignore' })
      digests.push(await digest(target))
    }
    assert.equal(digests[0], digests[1])
  })

  test('gives every file to root, at the time of the recipe', async (t) => {
    const folder = await makeTempFolder(t)
    const target = join(folder, 'disk')
    const root = await makeTree(folder, ['a', 'b'])
    if (userInfo().uid === 0) await chown(join(root, 'etc/a'), 7, 8)
    await makeExt4(tools, { root, target, uuid: uuidFrom('x'), label: 'test', sizeBytes: 16 * 1024 * 1024 })
    const show = (path: string): string =>
      execFileSync('debugfs', ['-R', `stat ${path}`, target], { encoding: 'utf8', stdio: 'pipe' })
    assert.match(show('/etc/a'), /User: +0 +Group: +0 /)
    assert.match(show('/lost+found'), /crtime: 0x6955b900/)
  })
})

describe('makeExt4At', () => {
  test('makes a sound file system at its place in a larger file, with the owners it is told', async (t) => {
    const folder = await makeTempFolder(t)
    const target = join(folder, 'disk')
    const offset = 4 * 1024 * 1024
    await makeSparseFile(target, 24 * 1024 * 1024)
    await makeExt4At(tools, {
      root: await makeTree(folder, ['a', 'b']),
      target,
      offset,
      uuid: uuidFrom('x'),
      label: 'test',
      sizeBytes: 16 * 1024 * 1024,
      ownerships: new Map([['etc/a', { uid: 7, gid: 42, mode: 0o104_711 }]]),
    })
    const bytes = await readFile(target)
    assert.equal(bytes.length, 24 * 1024 * 1024)
    assert.ok(bytes.subarray(0, offset).every((byte) => byte === 0))
    assert.ok(bytes.subarray(20 * 1024 * 1024).every((byte) => byte === 0))
    execFileSync('e2fsck', ['-fn', `${target}?offset=${offset}`], { stdio: 'ignore' })
    const facts = execFileSync('debugfs', ['-R', 'stat /etc/a', `${target}?offset=${offset}`], {
      encoding: 'utf8',
      stdio: 'pipe',
    })
    assert.match(facts, /Mode: +04711 [^]*User: +7 +Group: +42 /)
  })
})

describe('makeErofs', () => {
  test('gives the same bytes for the same files', async (t) => {
    const digests: string[] = []
    for (const order of [
      ['a', 'b'],
      ['b', 'a'],
    ]) {
      const folder = await makeTempFolder(t)
      await makeErofs(tools, await makeTree(folder, order), join(folder, 'root.erofs'), uuidFrom('x'))
      digests.push(await digest(join(folder, 'root.erofs')))
    }
    assert.equal(digests[0], digests[1])
  })
})

test('uuidFrom makes version 8 UUIDs that depend on the text alone', () => {
  assert.match(uuidFrom('a'), /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  assert.equal(uuidFrom('a'), uuidFrom('a'))
  assert.notEqual(uuidFrom('a'), uuidFrom('b'))
})
