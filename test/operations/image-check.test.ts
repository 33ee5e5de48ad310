import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmod, open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { imageCheck } from '../../src/operations/image-check.ts'
import { writeDisk } from '../support/disk-bytes.ts'
import { installedOf, openLocalWorkspace, storeObjects, tinyLine } from '../support/local-workspace.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const img = (...args: readonly string[]): void => void execFileSync('qemu-img', args, { stdio: 'pipe' })

async function makePlace(t: TestContext) {
  const folder = await makeTempFolder(t)
  const workspace = await openLocalWorkspace(t, { folder })
  return {
    workspace,
    check: async (image: string) => imageCheck(workspace, { image }),
    at: (name: string): string => join(folder, name),
  }
}

describe('imageCheck', () => {
  test('finds every format sound that QEMU writes', async (t) => {
    const { at, check } = await makePlace(t)
    await writeDisk(at('a.raw'), { sectors: 4000, parts: [{ at: 0, length: 200_000, kind: 'noise' }] })
    for (const format of ['qcow2', 'vmdk', 'vdi']) {
      img('convert', '-O', format, at('a.raw'), at(`a.${format}`))
      assert.deepEqual((await check(`a.${format}`)).faults, [])
    }
    assert.match((await check('a.raw')).notes.join(), /no tables/)
  })

  test('tells lost clusters from wrong tables, and changes neither', async (t) => {
    const { at, check } = await makePlace(t)
    await writeDisk(at('a.raw'), { sectors: 4000, parts: [{ at: 0, length: 200_000, kind: 'noise' }] })
    img('convert', '-O', 'qcow2', at('a.raw'), at('a.qcow2'))
    const bytes = await readFile(at('a.qcow2'))
    const counts = Number(bytes.readBigUInt64BE(Number(bytes.readBigUInt64BE(48))))
    const lost = Buffer.concat([bytes, Buffer.alloc(65_536)])
    lost.writeUInt16BE(1, counts + (bytes.length / 65_536) * 2)
    await writeFile(at('lost.qcow2'), lost)
    const leaking = await check('lost.qcow2')
    assert.deepEqual([leaking.isSound, leaking.leakedBytes], [true, 65_536])
    assert.match(leaking.notes.join(), /image compact/)
    const wrong = Buffer.from(bytes)
    wrong.fill(0, counts + 8, counts + 14)
    await writeFile(at('wrong.qcow2'), wrong)
    const corrupt = await check('wrong.qcow2')
    assert.equal(corrupt.isSound, false)
    assert.match(corrupt.faults.join(), /tables are wrong/)
    assert.ok((await readFile(at('lost.qcow2'))).equals(lost))
    assert.ok((await readFile(at('wrong.qcow2'))).equals(wrong))
  })

  test('reads every byte of a signed image', async (t) => {
    const { workspace, check } = await makePlace(t)
    const line = tinyLine('app-tiny', '1.0')
    const [, path = ''] = await storeObjects(workspace, line)
    workspace.installed.put(installedOf(line))
    assert.equal((await check('app-tiny')).isSound, true)
    await chmod(path, 0o600)
    {
      await using file = await open(path, 'r+')
      await file.write(Buffer.from('X'), 0, 1, 3)
    }
    await chmod(path, 0o444)
    const damaged = await check('app-tiny:disk')
    assert.equal(damaged.isSound, false)
    assert.match(damaged.faults.join(), /verify --full --fix/)
  })
})
