import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { formatLuksHeader, LUKS_HEADER_BYTES } from '../../src/image/luks-header.ts'
import { formatOverlay, largestOverlay, writeOverlay } from '../../src/image/qcow2-overlay.ts'
import { volumeBytes } from '../../src/operations/storage-volumes.ts'
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

  test('begins empty without a base, encrypted or not', async (t) => {
    const folder = await makeTempFolder(t)
    const randomness = { bytes: (count: number) => crypto.getRandomValues(new Uint8Array(count)) }
    const luks = formatLuksHeader(Buffer.from('secret'), '6f1e3c52-6a51-4f0e-9c58-6f0dd3a0a001', randomness)
    for (const [name, more] of [
      ['plain', {}],
      ['locked', { luks }],
    ] as const) {
      const path = join(folder, `${name}.qcow2`)
      await writeOverlay({ path, backing: undefined, virtualSize: 2 ** 26, ...more })
      const told = JSON.parse(execFileSync('qemu-img', ['info', '--output=json', path]).toString()) as {
        [field: string]: unknown
      }
      assert.equal(told['virtual-size'], 2 ** 26)
      assert.equal(told['backing-filename'], undefined)
      assert.equal(told['encrypted'] ?? false, name === 'locked')
      if (name === 'plain') execFileSync('qemu-img', ['check', '-q', path])
    }
  })

  for (const size of [512, 2 ** 20, 2 ** 30, 5 * 2 ** 40]) {
    test(`never takes more than is reckoned for it, with ${size} bytes`, () => {
      const told = execFileSync('qemu-img', [
        'measure',
        '--size',
        String(size),
        '-O',
        'qcow2',
        '--output=json',
      ]).toString()
      const { 'fully-allocated': most = Infinity } = JSON.parse(told) as Record<string, number>
      const reckoned = largestOverlay(size)
      assert.ok(most <= reckoned && reckoned < most + 2 * 2 ** 20, `${most} of ${reckoned}`)
      assert.ok(most + LUKS_HEADER_BYTES + 65_536 <= volumeBytes(size))
    })
  }

  test('is written onto a device without a word about what is there', async (t) => {
    const { path, backing } = await makeOverlay(t, 2 ** 20)
    await writeFile(path, Buffer.alloc(2 ** 20, 0xff))
    await writeOverlay({ path, backing, virtualSize: 2 ** 20, isDevice: true })
    assert.equal((await stat(path)).size, 2 ** 20)
    execFileSync('qemu-img', ['compare', '-q', '-f', 'qcow2', '-F', 'raw', path, backing])
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
