import assert from 'node:assert/strict'
import { lstat, mkdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { isVmpkgError } from '../../src/errors.ts'
import { applyRecipe, createSkeleton, keepFiles, mergeUsr, overlayFolder, removePaths } from '../../src/publish/tree.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

test('mergeUsr moves the four old top folders and nothing else', () => {
  assert.equal(mergeUsr('bin/sh'), 'usr/bin/sh')
  assert.equal(mergeUsr('lib64/ld.so'), 'usr/lib64/ld.so')
  assert.equal(mergeUsr('usr/bin/env'), 'usr/bin/env')
  assert.equal(mergeUsr('etc/bin'), 'etc/bin')
})

const refused = (error: unknown): boolean => isVmpkgError(error, 'RECIPE_INVALID')

describe('keepFiles', () => {
  test('takes named files, what their links point to, and no setuid bit', async (t) => {
    const folder = await makeTempFolder(t)
    const base = join(folder, 'base')
    const root = join(folder, 'root')
    await mkdir(join(base, 'bin'), { recursive: true })
    await mkdir(join(base, 'usr/share/x'), { recursive: true })
    await writeFile(join(base, 'bin/real'), 'x', { mode: 0o4755 })
    await writeFile(join(base, 'bin/other'), 'x')
    await symlink('real', join(base, 'bin/name'))
    await writeFile(join(base, 'usr/share/x/data'), 'x')
    await createSkeleton(root)
    await keepFiles(base, root, ['bin/name', 'usr/share/x'])
    assert.equal(await readlink(join(root, 'usr/bin/name')), 'real')
    assert.equal((await lstat(join(root, 'bin/real'))).mode & 0o7022, 0)
    assert.equal(await readFile(join(root, 'usr/share/x/data'), 'utf8'), 'x')
    await assert.rejects(lstat(join(root, 'bin/other')))
  })

  test('refuses a path that no package has', async (t) => {
    const folder = await makeTempFolder(t)
    await createSkeleton(join(folder, 'root'))
    await mkdir(join(folder, 'base'))
    await assert.rejects(keepFiles(join(folder, 'base'), join(folder, 'root'), ['usr/bin/none']), (error) =>
      isVmpkgError(error, 'BUILD_FAILED'),
    )
  })
})

describe('overlayFolder', () => {
  test('sets modes from the recipe, not from the checkout', async (t) => {
    const folder = await makeTempFolder(t)
    await mkdir(join(folder, 'from/sbin'), { recursive: true })
    await writeFile(join(folder, 'from/sbin/run'), 'x', { mode: 0o600 })
    await writeFile(join(folder, 'from/sbin/data'), 'x', { mode: 0o777 })
    await createSkeleton(join(folder, 'root'))
    await overlayFolder(join(folder, 'from'), join(folder, 'root'), ['sbin/run'])
    assert.equal((await lstat(join(folder, 'root/usr/sbin/run'))).mode & 0o7777, 0o755)
    assert.equal((await lstat(join(folder, 'root/usr/sbin/data'))).mode & 0o7777, 0o644)
  })

  test('refuses links and executables that are not there', async (t) => {
    const folder = await makeTempFolder(t)
    await mkdir(join(folder, 'from'))
    await createSkeleton(join(folder, 'root'))
    await assert.rejects(overlayFolder(join(folder, 'from'), join(folder, 'root'), ['x']), refused)
    await symlink('/etc/passwd', join(folder, 'from/x'))
    await assert.rejects(overlayFolder(join(folder, 'from'), join(folder, 'root'), []), refused)
  })
})

describe('a tree with links to folders', () => {
  test('is never left through one of them', async (t) => {
    const folder = await makeTempFolder(t)
    const [outside, root, from] = [join(folder, 'outside'), join(folder, 'root'), join(folder, 'from')]
    await mkdir(outside)
    await writeFile(join(outside, 'file'), 'mine')
    await createSkeleton(root)
    await symlink(outside, join(root, 'var/run'))
    await mkdir(join(from, 'var/run'), { recursive: true })
    await writeFile(join(from, 'var/run/file'), 'theirs')
    await assert.rejects(overlayFolder(from, root, []), refused)
    await assert.rejects(applyRecipe(root, { directories: { 'var/run/new': '0755' }, links: {} }), refused)
    await assert.rejects(applyRecipe(root, { directories: { 'var/run': '0777' }, links: {} }), refused)
    await assert.rejects(applyRecipe(root, { directories: {}, links: { 'var/run/file': 'x' } }), refused)
    await assert.rejects(removePaths(root, ['var/run/file']), refused)
    assert.equal(await readFile(join(outside, 'file'), 'utf8'), 'mine')
    await removePaths(root, ['var/run'])
    assert.equal(await readFile(join(outside, 'file'), 'utf8'), 'mine')
  })
})

describe('removePaths', () => {
  test('takes out folders and refuses what is not there', async (t) => {
    const root = join(await makeTempFolder(t), 'root')
    await createSkeleton(root)
    await mkdir(join(root, 'var/log/apt'), { recursive: true })
    await writeFile(join(root, 'var/log/apt/x'), 'x')
    await removePaths(root, ['var/log/apt'])
    await assert.rejects(lstat(join(root, 'var/log/apt')), { code: 'ENOENT' })
    await assert.rejects(removePaths(root, ['var/log/apt']), refused)
  })
})
