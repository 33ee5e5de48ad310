import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type ChainFile, readChain } from '../../src/image/chain.ts'
import { run } from '../support/guest-disk.ts'

const folder = mkdtempSync(join(tmpdir(), 'vmpkg-chain-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const at = (name: string): string => join(folder, name)
const create = (name: string, ...words: readonly string[]): string =>
  run('qemu-img', ['create', '-q', '-f', 'qcow2', ...words, at(name)])

test('a chain is followed through relative names and links, by the formats that its headers state', async () => {
  writeFileSync(at('base.raw'), Buffer.alloc(1024 ** 2))
  create('one.qcow2', '-b', 'base.raw', '-F', 'raw')
  symlinkSync('one.qcow2', at('link.qcow2'))
  create('two.qcow2', '-b', at('link.qcow2'), '-F', 'qcow2')
  const found = new Map<string, ChainFile>()
  assert.equal(await readChain({ file: at('two.qcow2'), format: 'qcow2' }, found), at('two.qcow2'))
  assert.deepEqual(
    [...found].map(([key, { format, virtualSize, backing }]) => [key, format, virtualSize, backing]),
    [
      [at('two.qcow2'), 'qcow2', 1024 ** 2, at('one.qcow2')],
      [at('one.qcow2'), 'qcow2', 1024 ** 2, at('base.raw')],
      [at('base.raw'), 'raw', 1024 ** 2, undefined],
    ],
  )
})

test('internal snapshots are those that qemu-img lists', async () => {
  create('inner.qcow2', '-o', 'size=1M')
  for (const name of ['first', 'zweiter Stand', 'x']) run('qemu-img', ['snapshot', '-c', name, at('inner.qcow2')])
  const found = new Map<string, ChainFile>()
  await readChain({ file: at('inner.qcow2'), format: 'qcow2' }, found)
  const { snapshots } = JSON.parse(run('qemu-img', ['info', '--output=json', at('inner.qcow2')])) as {
    snapshots: { id: string; name: string; 'date-sec': number }[]
  }
  assert.deepEqual(
    found.get(at('inner.qcow2'))?.snapshots.map(({ id, name, time }) => [id, name, Math.floor(time.getTime() / 1000)]),
    snapshots.map((one) => [one.id, one.name, one['date-sec']]),
  )
})

test('what a guest wrote into a raw disk is not taken for a header, and what a header could lead to is refused', async () => {
  create('innocent.qcow2', '-o', 'size=1M')
  create('raw.qcow2', '-u', '-b', '/etc/passwd', '-F', 'raw', '-o', 'size=1M')
  const found = new Map<string, ChainFile>()
  await readChain({ file: at('raw.qcow2'), format: 'raw' }, found)
  assert.deepEqual([...found.keys()], [at('raw.qcow2')])

  create('network.qcow2', '-u', '-b', 'nbd://host.invalid/x', '-F', 'raw', '-o', 'size=1M')
  create('gone.qcow2', '-u', '-b', '/nowhere/base', '-F', 'raw', '-o', 'size=1M')
  create('device.qcow2', '-u', '-b', '/dev/null', '-F', 'raw', '-o', 'size=1M')
  const refused: readonly (readonly [string, string, RegExp])[] = [
    ['network.qcow2', 'qcow2', /stands on "nbd:.*, which is no file/],
    ['gone.qcow2', 'qcow2', /base is not there/],
    ['device.qcow2', 'qcow2', /null is not a file/],
    ['innocent.qcow2', 'vmdk', /is of format vmdk/],
  ]
  for (const [name, format, message] of refused) {
    await assert.rejects(readChain({ file: at(name), format }, new Map()), { code: 'IMAGE_INVALID', message })
  }
})
