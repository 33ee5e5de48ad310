import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { readMedium, writeMedium } from '../../src/domain/medium.ts'
import { isVmpkgError } from '../../src/errors.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const files = new Map([
  ['vmpkg.env', Buffer.from('HOSTNAME=a\n')],
  ['nftables.nft', Buffer.from('table inet vmpkg\n')],
])

const refused = (error: unknown): boolean => isVmpkgError(error, 'RENDER_REFUSED')

describe('writeMedium', () => {
  test('makes a volume with the label and the exact bytes of the files', async (t) => {
    const folder = await makeTempFolder(t)
    const target = join(folder, 'config.iso')
    await writeMedium({ files, target })
    const volume = await readFile(target)
    assert.equal(volume.toString('latin1', 16 * 2048 + 40, 16 * 2048 + 72).trim(), 'VMPKGCFG')
    for (const [name, bytes] of files) {
      const out = join(folder, name)
      execFileSync('xorriso', ['-osirrox', 'on', '-indev', target, '-extract', `/${name}`, out], { stdio: 'ignore' })
      assert.deepEqual(await readFile(out), bytes)
    }
  })

  test('is private, replaces an earlier volume and leaves nothing beside it', async (t) => {
    const folder = await makeTempFolder(t)
    const target = join(folder, 'config.iso')
    await writeMedium({ files, target })
    await writeMedium({ files: new Map([['a', Buffer.from('b')]]), target })
    assert.equal((await stat(target)).mode & 0o777, 0o600)
    assert.deepEqual(await readdir(folder), ['config.iso'])
  })

  test('clears away what killed commands left of it, and nothing of others', async (t) => {
    const folder = await makeTempFolder(t)
    const target = join(folder, 'config.iso')
    for (const left of ['config.iso.files-Ab3dE_', 'config.iso.files-Ab3dE6', 'other.iso.files-Ab3dE6']) {
      await mkdir(join(folder, left, 'files'), { recursive: true })
    }
    for (const left of ['config.iso.0123abcd', 'config.iso.log', 'other.iso.0123abcd']) {
      await writeFile(join(folder, left), '')
    }
    const others = ['config.iso.files-Ab3dE_', 'config.iso.log', 'other.iso.0123abcd', 'other.iso.files-Ab3dE6']
    await writeMedium({ files, target })
    assert.deepEqual((await readdir(folder)).toSorted(), ['config.iso', ...others])
    await mkdir(join(folder, 'config.iso.files-Ab3dE7'))
    assert.deepEqual([...(await readMedium(target)).keys()].toSorted(), [...files.keys()].toSorted())
    assert.deepEqual((await readdir(folder)).toSorted(), ['config.iso', ...others])
  })

  test('gives the same bytes for the same files', async (t) => {
    const folder = await makeTempFolder(t)
    await writeMedium({ files, target: join(folder, 'a') })
    await writeMedium({ files: new Map([...files].toReversed()), target: join(folder, 'b') })
    assert.deepEqual(await readFile(join(folder, 'a')), await readFile(join(folder, 'b')))
  })

  test('refuses names and sizes that guests do not take', async (t) => {
    const folder = await makeTempFolder(t)
    const target = join(folder, 'config.iso')
    for (const name of ['../x', 'A', '.x', 'a/b', '', 'x'.repeat(65)]) {
      await assert.rejects(writeMedium({ files: new Map([[name, Buffer.alloc(1)]]), target }), refused)
    }
    await assert.rejects(writeMedium({ files: new Map([['x', Buffer.alloc(1024 * 1024 + 1)]]), target }), refused)
    const many = new Map(Array.from({ length: 33 }, (_, index) => [`f${index}`, Buffer.alloc(1)]))
    await assert.rejects(writeMedium({ files: many, target }), refused)
    assert.deepEqual(await readdir(folder), [])
  })
})
