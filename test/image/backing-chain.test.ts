import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { readChain } from '../../src/image/backing-chain.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const img = (...args: readonly string[]): void => void execFileSync('qemu-img', args, { stdio: 'pipe' })

describe('readChain', () => {
  test('names what QEMU would open, and refuses it unless asked', async (t) => {
    const folder = await makeTempFolder(t)
    await mkdir(join(folder, 'below'))
    const [base, middle, top] = ['below/base.raw', 'below/middle.qcow2', 'top.qcow2'].map((one) => join(folder, one))
    img('create', '-q', '-f', 'raw', base ?? '', '1M')
    img('create', '-q', '-f', 'qcow2', '-b', 'base.raw', '-F', 'raw', middle ?? '')
    img('create', '-q', '-f', 'qcow2', '-b', 'below/middle.qcow2', '-F', 'qcow2', top ?? '', '3M')
    const image = { file: top ?? '', format: 'qcow2' } as const
    const { layers, virtualSize } = await readChain(image, { follow: true })
    const oracle = JSON.parse(
      execFileSync('qemu-img', ['info', '--backing-chain', '--output=json', image.file]).toString(),
    ) as { 'full-backing-filename'?: string; format: string }[]
    assert.deepEqual(
      layers.map(({ format }) => format),
      oracle.map(({ format }) => format),
    )
    assert.deepEqual(
      layers.slice(1).map(({ file }) => file),
      oracle.flatMap((one) => one['full-backing-filename'] ?? []),
    )
    assert.equal(virtualSize, 3 * 2 ** 20)
    await assert.rejects(readChain(image, { follow: false }), { code: 'IMAGE_INVALID', message: /stands on "below/ })
    await rm(base ?? '')
    await assert.rejects(readChain(image, { follow: true }), { code: 'IMAGE_INVALID', message: /which is not there/ })
  })

  test('follows neither an unnamed format, a protocol, nor a circle', async (t) => {
    const folder = await makeTempFolder(t)
    const at = (name: string): string => join(folder, name)
    const refused = async (name: string, message: RegExp) =>
      assert.rejects(readChain({ file: at(name), format: 'qcow2' }, { follow: true }), {
        code: 'IMAGE_INVALID',
        message,
      })
    img('create', '-q', '-f', 'qcow2', at('base'), '1M')
    img('create', '-q', '-f', 'qcow2', '-b', at('base'), '-F', 'qcow2', at('probed'))
    const bytes = await readFile(at('probed'))
    const mark = bytes.indexOf(Buffer.from('e2792aca', 'hex'))
    bytes.writeUInt32BE(0x7654_3210, mark) // an extension that nobody knows, which QEMU skips
    await writeFile(at('probed'), bytes)
    await refused('probed', /does not say which format/)
    img('create', '-q', '-f', 'qcow2', '-u', '-b', 'nbd://127.0.0.1/x', '-F', 'raw', at('network'), '1M')
    await refused('network', /is no plain file/)
    img('create', '-q', '-f', 'qcow2', '-u', '-b', 'json:{"driver":"null-co"}', '-F', 'raw', at('json'), '1M')
    await refused('json', /is no plain file/)
    img('create', '-q', '-f', 'qcow2', '-u', '-b', 'a', '-F', 'qcow2', at('b'), '1M')
    img('create', '-q', '-f', 'qcow2', '-u', '-b', 'b', '-F', 'qcow2', at('a'), '1M')
    await refused('a', /stands on itself/)
    await symlink('a', at('link'))
    await rename(at('base'), at('a'))
    assert.equal((await readChain({ file: at('link'), format: 'qcow2' }, { follow: true })).layers.length, 1)
  })
})
