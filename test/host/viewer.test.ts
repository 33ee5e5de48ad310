import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { isVmpkgError } from '../../src/errors.ts'
import { findViewer, getViewer, hasScreen, viewerArguments } from '../../src/host/viewer.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

describe('findViewer', () => {
  test('prefers virt-viewer, then remote-viewer, then virt-manager, in the user’s own search path', async (t) => {
    const folder = await makeTempFolder(t)
    const env = { PATH: `/nowhere:${folder}` }
    const here = { isLocal: true }
    assert.equal(await findViewer(env, here), undefined)
    for (const name of ['virt-manager', 'remote-viewer', 'virt-viewer']) {
      await writeFile(join(folder, name), '', { mode: 0o755 })
      assert.deepEqual(await findViewer(env, here), { name, program: join(folder, name) })
    }
  })

  test('takes no program from the working folder', async (t) => {
    const folder = await makeTempFolder(t)
    await writeFile(join(folder, 'virt-viewer'), '', { mode: 0o755 })
    const before = process.cwd()
    process.chdir(folder)
    try {
      assert.equal(await findViewer({ PATH: ':.' }, { isLocal: true }), undefined)
    } finally {
      process.chdir(before)
    }
  })
})

describe('getViewer', () => {
  test('names the package of one that is not installed', async () => {
    await assert.rejects(getViewer('remote-viewer', { PATH: '/nowhere' }, { isLocal: true }), (error) => {
      assert.ok(isVmpkgError(error, 'TOOL_MISSING'))
      assert.match(error.hint ?? '', /apt install virt-viewer/)
      return true
    })
  })

  test('refuses a program that is none', async () => {
    await assert.rejects(getViewer('sh', { PATH: '/bin' }, { isLocal: true }), (error) => isVmpkgError(error, 'USAGE'))
  })
})

test('a machine on another host is not for remote-viewer, which cannot reach its screen', async (t) => {
  const folder = await makeTempFolder(t)
  await writeFile(join(folder, 'remote-viewer'), '', { mode: 0o755 })
  const env = { PATH: folder }
  assert.equal(await findViewer(env, { isLocal: false }), undefined)
  await assert.rejects(getViewer('remote-viewer', env, { isLocal: false }), (error) => isVmpkgError(error, 'USAGE'))
})

test('a screen is one of X or of Wayland', () => {
  assert.equal(hasScreen({}), false)
  assert.equal(hasScreen({ DISPLAY: '' }), false)
  assert.equal(hasScreen({ DISPLAY: ':0' }), true)
  assert.equal(hasScreen({ WAYLAND_DISPLAY: 'wayland-0' }), true)
})

test('a viewer never takes a name or an address for an option', () => {
  const shown = { uri: 'qemu:///system', uuid: '-x', displayUri: '-x', isLocal: true }
  assert.deepEqual(viewerArguments('virt-viewer', shown).slice(-2), ['--', '-x'])
  assert.deepEqual(viewerArguments('remote-viewer', shown).slice(-2), ['--', '-x'])
})
