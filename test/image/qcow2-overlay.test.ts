import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { formatOverlay, writeOverlay } from '../../src/image/qcow2-overlay.ts'
import { noise } from '../support/disk-image.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

async function makeOverlay(t: TestContext, size: number, virtualSize = size) {
  const folder = await makeTempFolder(t)
  const [backing, path] = [join(folder, 'base.raw'), join(folder, 'overlay.qcow2')]
  await writeFile(backing, noise('base', 100_000))
  await truncate(backing, size)
  await writeOverlay({ path, backing, virtualSize })
  return { folder, backing, path }
}

describe('writeOverlay', () => {
  for (const size of [1024 * 1024, 512 * 2 ** 20, 600 * 2 ** 20 + 512, 5 * 2 ** 40]) {
    test(`writes what qemu-img check finds no fault in, for ${size} bytes`, async (t) => {
      const { backing, path } = await makeOverlay(t, size)
      execFileSync('qemu-img', ['check', '-f', 'qcow2', path])
      const told = JSON.parse(execFileSync('qemu-img', ['info', '-f', 'qcow2', '--output=json', path]).toString()) as {
        [field: string]: unknown
      }
      assert.equal(told['virtual-size'], size)
      assert.equal(told['backing-filename'], backing)
      assert.equal(told['backing-filename-format'], 'raw')
      assert.equal(told['cluster-size'], 65536)
      assert.equal((await stat(path)).mode & 0o777, 0o600)
    })
  }

  test('shows the bytes of the base and takes writes', async (t) => {
    const { backing, path } = await makeOverlay(t, 4 * 2 ** 20)
    assert.doesNotThrow(() => execFileSync('qemu-img', ['compare', '-f', 'qcow2', '-F', 'raw', path, backing]))
    execFileSync('qemu-io', ['-f', 'qcow2', '-c', 'write -P 7 1M 64k', '-c', 'read -P 7 1M 64k', path])
    execFileSync('qemu-img', ['check', '-f', 'qcow2', path])
    assert.throws(() => execFileSync('qemu-img', ['compare', '-f', 'qcow2', '-F', 'raw', path, backing]))
  })

  test('may be larger than its base', async (t) => {
    const { path } = await makeOverlay(t, 2 ** 20, 2 ** 30)
    execFileSync('qemu-img', ['check', '-f', 'qcow2', path])
  })

  test('replaces no file that is there', async (t) => {
    const { path, backing } = await makeOverlay(t, 2 ** 20)
    await assert.rejects(writeOverlay({ path, backing, virtualSize: 2 ** 20 }), { code: 'DOMAIN_EXISTS' })
  })
})

describe('formatOverlay', () => {
  for (const [what, backing, size] of [
    ['a relative base', 'base.raw', 2 ** 20],
    ['a base with a zero byte', '/a\0b', 2 ** 20],
    ['a base with a name that is too long', `/${'a'.repeat(1023)}`, 2 ** 20],
    ['a size that is not of whole sectors', '/base', 1000],
    ['no size', '/base', 0],
    ['an absurd size', '/base', 2 ** 52],
  ] as const) {
    test(`refuses ${what}`, () => {
      assert.throws(() => formatOverlay(backing, size), { code: 'IMAGE_INVALID' })
    })
  }
})
