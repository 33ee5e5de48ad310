import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { imageInfo } from '../../src/operations/image-info.ts'
import { writeDisk } from '../support/disk-bytes.ts'
import { installedOf, openLocalWorkspace, storeObjects, tinyLine } from '../support/local-workspace.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const img = (...args: readonly string[]): string => execFileSync('qemu-img', args, { stdio: 'pipe' }).toString()

async function makePlace(t: TestContext) {
  const folder = await makeTempFolder(t)
  const workspace = await openLocalWorkspace(t, { folder })
  const info = async (image: string, format?: string, backing = false) =>
    imageInfo(workspace, { image, format, backing })
  return { workspace, info, at: (name: string): string => join(folder, name) }
}

describe('imageInfo', () => {
  test('agrees with qemu-img on every format, and sees the partitions through each', async (t) => {
    const { at, info } = await makePlace(t)
    await writeDisk(at('disk.raw'), { sectors: 20_480, parts: [] })
    execFileSync('sfdisk', ['-q', at('disk.raw')], { input: 'label: gpt\nsize=3M,name=root\nsize=2M\n' })
    for (const format of ['raw', 'qcow2', 'vmdk', 'vdi']) {
      const file = `disk.${format}`
      if (format !== 'raw') img('convert', '-O', format, at('disk.raw'), at(file))
      const oracle = JSON.parse(img('info', '--output=json', '-f', format, at(file))) as { 'virtual-size': number }
      const { virtualSize, diskBytes, contents, users } = await info(file)
      assert.equal(virtualSize, oracle['virtual-size'])
      assert.equal(diskBytes, (await stat(at(file))).blocks * 512)
      assert.deepEqual(
        contents?.partitions.map(({ number, start, end, name }) => [number, start, end, name]),
        [
          [1, 2 ** 20, 4 * 2 ** 20, 'root'],
          [2, 4 * 2 ** 20, 6 * 2 ** 20, ''],
        ],
      )
      assert.deepEqual(users, [])
    }
  })

  test('tells what an image stands on without opening it, and describes one with snapshots', async (t) => {
    const { at, info } = await makePlace(t)
    await writeDisk(at('base.raw'), { sectors: 4096, parts: [] })
    execFileSync('sfdisk', ['-q', at('base.raw')], { input: 'label: dos\nsize=512K\n' })
    img('create', '-q', '-f', 'qcow2', '-b', 'base.raw', '-F', 'raw', at('top.qcow2'))
    img('snapshot', '-c', 'one', at('top.qcow2'))
    const { qcow2, contents } = await info('top.qcow2')
    assert.deepEqual(
      [qcow2?.backingFile, qcow2?.backingFormat, qcow2?.snapshots, contents],
      ['base.raw', 'raw', 1, undefined],
    )
    assert.equal((await info('top.qcow2', undefined, true)).contents?.kind, 'mbr')
  })

  test('does not disturb who has it open, and believes no name', async (t) => {
    const { at, info } = await makePlace(t)
    img('create', '-q', '-f', 'qcow2', at('a.qcow2'), '1M')
    const other = spawn('qemu-io', [at('a.qcow2')], { stdio: ['pipe', 'pipe', 'ignore'] })
    await once(other.stdout, 'data')
    assert.equal((await info('a.qcow2')).contents?.kind, 'unknown')
    other.stdin.end('quit\n')
    await once(other, 'exit')
    img('create', '-q', '-f', 'qcow2', at('disk.img'), '1M')
    await assert.rejects(info('disk.img'), { code: 'IMAGE_INVALID', hint: /--format qcow2/ })
    assert.equal((await info('disk.img', 'raw')).format, 'raw')
    await assert.rejects(info('disk.img', 'vdi'), { code: 'IMAGE_INVALID' })
    await truncate(at('a.qcow2'), 100_000)
    await assert.rejects(info('a.qcow2'), { code: 'IMAGE_INVALID' })
    await assert.rejects(info('a.qcow2.xz'), { code: 'USAGE' })
  })

  test('knows an image of an installed package by name and role', async (t) => {
    const { workspace, info } = await makePlace(t)
    const line = tinyLine('app-tiny', '1.0')
    await storeObjects(workspace, line)
    workspace.installed.put(installedOf(line))
    const { package: of, format } = await info('app-tiny:disk')
    assert.deepEqual([of?.name, of?.role, of?.digest, format], ['app-tiny', 'disk', line.images[0]?.digest, 'raw'])
  })
})
