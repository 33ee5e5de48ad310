import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { imageResize, type ResizeRequest } from '../../src/operations/image-resize.ts'
import { compareDisks, writeDisk } from '../support/disk-bytes.ts'
import { installedOf, openLocalWorkspace, storeObjects, tinyLine } from '../support/local-workspace.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const MIB = 2 ** 20
const img = (...args: readonly string[]): string => execFileSync('qemu-img', args, { stdio: 'pipe' }).toString()

async function readAt(path: string, offset: number, length: number): Promise<Buffer> {
  await using file = await open(path)
  return (await file.read(Buffer.alloc(length), 0, length, offset)).buffer
}

async function makePlace(t: TestContext) {
  const folder = await makeTempFolder(t)
  const workspace = await openLocalWorkspace(t, { folder })
  const resize = async (image: string, size: string, more: Partial<ResizeRequest> = {}) =>
    imageResize(workspace, { image, size, shrink: false, backing: false, dryRun: false, ...more })
  const at = (name: string): string => join(folder, name)
  const makeRaw = async (name: string, mib: number, script = ''): Promise<void> => {
    await using file = await open(at(name), 'w')
    await file.truncate(mib * MIB)
    if (script !== '') execFileSync('sfdisk', ['-q', at(name)], { input: script })
  }
  return { workspace, resize, at, makeRaw }
}

describe('imageResize', () => {
  test('moves the end of a GPT both ways, in raw and qcow2, and keeps every other byte', async (t) => {
    const { at, resize, makeRaw } = await makePlace(t)
    await makeRaw('a.raw', 64, 'label: gpt\nsize=20M\n')
    {
      await using file = await open(at('a.raw'), 'r+')
      await file.write(Buffer.alloc(100_000, 'data'), 0, 100_000, 19 * MIB)
    }
    img('convert', '-O', 'qcow2', at('a.raw'), at('a.qcow2'))
    for (const [image, format] of [
      ['a.raw', 'raw'],
      ['a.qcow2', 'qcow2'],
    ] as const) {
      const grown = await resize(image, '128MiB')
      assert.deepEqual([grown.before, grown.after], [64 * MIB, 128 * MIB])
      assert.match(grown.guestSteps.join(' '), /growpart \/dev\/vda 1/)
      await assert.rejects(resize(image, '64MiB'), { code: 'RESIZE_REFUSED', hint: /--shrink/ })
      await assert.rejects(resize(image, '20MiB', { shrink: true }), { code: 'RESIZE_REFUSED', message: /partition 1/ })
      await resize(image, '22MiB', { shrink: true, dryRun: true })
      assert.equal(JSON.parse(img('info', '--output=json', '-f', format, at(image)))['virtual-size'], 128 * MIB)
      await resize(image, '22MiB', { shrink: true })
      img('convert', '-f', format, '-O', 'raw', at(image), at('seen.raw'))
      assert.equal((await stat(at('seen.raw'))).size, 22 * MIB)
      const said = execFileSync('sfdisk', ['--verify', at('seen.raw')], {
        stdio: ['ignore', 'pipe', 'pipe'],
      }).toString()
      assert.match(said, /No errors detected/)
      const last = 22 * MIB - 512
      const header = await readAt(at('seen.raw'), 512, 92)
      assert.equal(Number(header.readBigUInt64LE(32)) * 512, last)
      assert.equal((await readAt(at('seen.raw'), last, 8)).toString(), 'EFI PART')
      assert.ok((await readAt(at('seen.raw'), 19 * MIB, 100_000)).equals(Buffer.alloc(100_000, 'data')))
      if (format === 'qcow2') img('check', '-q', at(image))
    }
  })

  test('cuts off no file system, nothing that uses all of the disk, and no data that nobody explains', async (t) => {
    const { at, resize, makeRaw } = await makePlace(t)
    await makeRaw('ext.raw', 64)
    execFileSync('mke2fs', ['-q', '-F', at('ext.raw'), '40M'])
    await assert.rejects(resize('ext.raw', '39MiB', { shrink: true }), { code: 'RESIZE_REFUSED', message: /ext/ })
    await resize('ext.raw', '40MiB', { shrink: true })
    execFileSync('e2fsck', ['-fn', at('ext.raw')], { stdio: 'pipe' })
    await makeRaw('swap.raw', 4)
    execFileSync('mkswap', ['-q', at('swap.raw')])
    await assert.rejects(resize('swap.raw', '3MiB', { shrink: true }), {
      code: 'RESIZE_REFUSED',
      message: /to its end/,
    })
    await writeDisk(at('data.raw'), { sectors: 8192, parts: [{ at: 3 * MIB, length: 100, kind: 'noise' }] })
    img('convert', '-O', 'qcow2', at('data.raw'), at('data.qcow2'))
    for (const image of ['data.raw', 'data.qcow2']) {
      await assert.rejects(resize(image, '3MiB', { shrink: true }), {
        code: 'RESIZE_REFUSED',
        message: /There is data/,
      })
      await resize(image, '3137KiB', { shrink: true })
    }
    compareDisks(['raw', at('data.raw')], ['qcow2', at('data.qcow2')])
    await makeRaw('mbr.raw', 8, 'label: dos\nsize=5M\n')
    await assert.rejects(resize('mbr.raw', '5MiB', { shrink: true }), { code: 'RESIZE_REFUSED', message: /6MiB/ })
    await resize('mbr.raw', '6MiB', { shrink: true })
  })

  test('refuses odd sizes, fixed formats, disks in use, and what belongs to vmpkg', async (t) => {
    const { at, workspace, resize, makeRaw } = await makePlace(t)
    await makeRaw('a.raw', 1)
    for (const size of ['1000B', '0B', '17TiB']) await assert.rejects(resize('a.raw', size), { code: 'USAGE' })
    for (const size of ['1G', '-1MiB', '+1MiB'])
      await assert.rejects(resize('a.raw', size), { code: 'PARAMETER_INVALID' })
    img('convert', '-O', 'vmdk', at('a.raw'), at('a.vmdk'))
    await assert.rejects(resize('a.vmdk', '2MiB'), { code: 'RESIZE_REFUSED', hint: /image convert/ })
    const other = spawn('qemu-io', ['-f', 'raw', at('a.raw')], { stdio: ['pipe', 'pipe', 'ignore'] })
    await once(other.stdout, 'data')
    await assert.rejects(resize('a.raw', '2MiB'), { code: 'IMAGE_IN_USE' })
    other.stdin.end('quit\n')
    await once(other, 'exit')
    const line = tinyLine('app-tiny', '1.0')
    const [, stored = ''] = await storeObjects(workspace, line)
    workspace.installed.put(installedOf(line))
    await assert.rejects(resize('app-tiny', '2MiB'), { code: 'IMAGE_READ_ONLY', hint: /vmpkg clone app-tiny/ })
    await assert.rejects(resize(stored, '2MiB', { format: 'raw' }), { code: 'IMAGE_READ_ONLY' })
    assert.deepEqual(
      (await readdir(workspace.paths.cache)).filter((name) => name.startsWith('scratch')),
      [],
    )
  })

  test('an overlay gets a size of its own only for those who trust what it stands on', async (t) => {
    const { at, resize, makeRaw } = await makePlace(t)
    await makeRaw('base.raw', 8, 'label: gpt\nsize=5M\n')
    await copyFile(at('base.raw'), at('copy.raw'))
    img('create', '-q', '-f', 'qcow2', '-b', at('base.raw'), '-F', 'raw', at('top.qcow2'))
    await assert.rejects(resize('top.qcow2', '16MiB'), { code: 'IMAGE_INVALID', hint: /--backing/ })
    await resize('top.qcow2', '16MiB', { backing: true })
    compareDisks(['raw', at('base.raw')], ['raw', at('copy.raw')])
    img('convert', '-O', 'raw', at('top.qcow2'), at('seen.raw'))
    const said = execFileSync('sfdisk', ['--verify', at('seen.raw')], { stdio: ['ignore', 'pipe', 'pipe'] }).toString()
    assert.match(said, /No errors detected/)
  })
})
