import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, cp, lstat, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { isVmpkgError } from '../../src/errors.ts'
import { systemProcesses } from '../../src/node/processes.ts'
import { type BaseTree, changeRoot, packBaseTree, readBaseTree } from '../../src/publish/base-disk.ts'
import { compareTrees, type Inode, listTree } from '../../src/publish/disk-difference.ts'
import { makeUefiDisk, ROOT_OFFSET } from '../../src/publish/uefi-disk.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const tools = { processes: systemProcesses, epoch: 1_767_225_600 }
const BLOCK = 4096
const UNTOUCHED = Buffer.from('nothing changes here\n'.repeat(20_000))
const nothing = (): boolean => false

interface Made {
  readonly work: string
  readonly disk: string
  readonly base: BaseTree
}

/** A base with files of others than root and with special bits, and what was read back from it. */
async function makeBase(t: TestContext): Promise<Made> {
  const work = await makeTempFolder(t)
  const root = join(work, 'root')
  await mkdir(join(root, 'etc/old folder'), { recursive: true })
  await mkdir(join(root, 'usr/bin'), { recursive: true })
  await writeFile(join(root, 'etc/passwd'), 'root\n')
  await writeFile(join(root, 'etc/shadow'), 'secret\n', { mode: 0o640 })
  await writeFile(join(root, 'etc/old folder/a "name"'), 'x')
  await writeFile(join(root, 'usr/bin/su'), 'su', { mode: 0o755 })
  await writeFile(join(root, 'usr/bin/large'), UNTOUCHED)
  await symlink('su', join(root, 'usr/bin/link'))
  await writeFile(join(work, 'kernel.efi'), 'kernel')
  const disk = join(work, 'disk')
  const ownerships = new Map<string, Inode>([
    ['etc/shadow', { mode: 0o100_640, uid: 0, gid: 42 }],
    ['usr/bin/su', { mode: 0o104_755, uid: 0, gid: 0 }],
  ])
  const named = { identity: 'tiny 1', label: 'tiny', sizeBytes: 256 * 1024 * 1024 }
  await makeUefiDisk(tools, {
    kernelImage: join(work, 'kernel.efi'),
    root,
    ownerships,
    work,
    target: disk,
    ...named,
  })
  await rm(root, { recursive: true })
  return {
    work,
    disk,
    base: await readBaseTree(tools, { file: disk, digest: '' as never, name: 't', version: '1' }, work),
  }
}

/** Changes a copy of the base's files as a package would, and writes what differs into a copy of its disk. */
async function layer({ work, disk, base }: Made, name: string): Promise<{ disk: string; commands: readonly string[] }> {
  const tree = join(work, `${name}-tree`)
  await cp(base.tree, tree, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true })
  await rm(join(tree, 'etc/old folder'), { recursive: true })
  await writeFile(join(tree, 'etc/passwd'), 'root\napp\n')
  await rm(join(tree, 'usr/bin/link'))
  await symlink('large', join(tree, 'usr/bin/link'))
  await mkdir(join(tree, 'opt/new'), { recursive: true })
  await writeFile(join(tree, 'opt/new/file'), 'new', { mode: 0o644 })
  await chmod(join(tree, 'usr/bin/large'), 0o700)
  const special = new Map(base.inodes)
  for (const path of ['etc/passwd', 'usr/bin/large']) special.delete(path)
  special.set('opt/new/file', { mode: 0o100_640, uid: 1000, gid: 1000 })
  const inodes = await listTree(tree, special)
  const { commands } = await compareTrees(base, { tree, inodes }, { epoch: tools.epoch, isKept: nothing })
  const target = join(work, name)
  execFileSync('cp', ['--sparse=always', disk, target])
  await changeRoot(tools, target, commands)
  return { disk: target, commands }
}

const stat = (disk: string, path: string): string =>
  execFileSync('debugfs', ['-R', `stat "${path}"`, `${disk}?offset=${ROOT_OFFSET}`], {
    encoding: 'utf8',
    stdio: 'pipe',
  })

const digest = async (path: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex')

describe('a layer', () => {
  test('reads owners, modes and special bits of the base from its inodes', async (t) => {
    const { work, base } = await makeBase(t)
    assert.deepEqual(base.inodes.get('etc/shadow'), { mode: 0o100_640, uid: 0, gid: 42 })
    assert.deepEqual(base.inodes.get('usr/bin/su'), { mode: 0o104_755, uid: 0, gid: 0 })
    assert.ok(base.inodes.has('etc/old folder/a "name"'))
    const tar = join(work, 'base.tar')
    await packBaseTree(base, tools.epoch, tar)
    const listing = execFileSync('tar', ['--numeric-owner', '-tvf', tar], { encoding: 'utf8' })
    assert.match(listing, /^-rw-r----- 0\/42 .* \.\/etc\/shadow$/m)
    assert.match(listing, /^-rwsr-xr-x 0\/0 .* \.\/usr\/bin\/su$/m)
  })

  test('is a sound file system with the new tree, whose untouched blocks lie where the base has them', async (t) => {
    const made = await makeBase(t)
    const { disk } = await layer(made, 'layer')
    execFileSync('e2fsck', ['-fn', `${disk}?offset=${ROOT_OFFSET}`], { stdio: 'pipe' })
    const work = join(made.work, 'again')
    await mkdir(work)
    const { tree, inodes } = await readBaseTree(
      tools,
      { file: disk, digest: '' as never, name: 't', version: '1' },
      work,
    )
    assert.equal(await readFile(join(tree, 'etc/passwd'), 'utf8'), 'root\napp\n')
    assert.equal(inodes.has('etc/old folder'), false)
    assert.deepEqual(inodes.get('opt/new/file'), { mode: 0o100_640, uid: 1000, gid: 1000 })
    assert.deepEqual(inodes.get('usr/bin/large'), { mode: 0o100_700, uid: 0, gid: 0 })
    assert.equal((await lstat(join(tree, 'usr/bin/link'))).isSymbolicLink(), true)
    assert.match(stat(disk, '/usr/bin/link'), /Fast link dest: "large"/)
    assert.match(stat(disk, '/opt/new/file'), /crtime: 0x6955b900/)
    assert.deepEqual((await readFile(join(tree, 'usr/bin/large'))).equals(UNTOUCHED), true)
    const [before, after] = await Promise.all([readFile(made.disk), readFile(disk)])
    let moved = 0
    for (let at = 0; at < before.length; at += BLOCK) {
      if (!before.subarray(at, at + BLOCK).equals(after.subarray(at, at + BLOCK))) moved++
    }
    // Bitmaps, inode tables, folders and four small files; the large one has over a hundred blocks.
    assert.ok(moved > 0 && moved < 40, `${moved} blocks differ`)
  })

  test('has the same bytes when it is made again', async (t) => {
    const made = await makeBase(t)
    const [first, second] = [await layer(made, 'first'), await layer(made, 'second')]
    assert.equal(await digest(second.disk), await digest(first.disk))
    const same = await compareTrees(made.base, made.base, { epoch: tools.epoch, isKept: nothing })
    assert.deepEqual(same.commands, [])
  })

  test('says what could not be written', async (t) => {
    const { disk } = await makeBase(t)
    await assert.rejects(
      changeRoot(tools, disk, ['rm "/none"']),
      (error) => isVmpkgError(error, 'BUILD_FAILED') && /debugfs cannot write/.test(error.message),
    )
  })
})
