import assert from 'node:assert/strict'
import { readFile, truncate, writeFile } from 'node:fs/promises'
import { describe, type TestContext, test } from 'node:test'
import { FramePool } from '../../src/image/frame-pool.ts'
import { type WrittenPack, writePack } from '../../src/image/pack-writer.ts'
import { sha256 } from '../../src/model/digest.ts'
import { noise } from '../support/disk-image.ts'
import { listTree, makeTempFolder } from '../support/temp-folder.ts'

const FRAMES = 8

async function prepare(t: TestContext) {
  const folder = await makeTempFolder(t)
  const read: number[] = []
  const write = async (stopAt = FRAMES): Promise<WrittenPack | undefined> => {
    read.length = 0
    await using pool = new FramePool(1)
    const drafts = Array.from({ length: FRAMES }, (_, number) => ({
      rawSize: 50_000,
      read: async () => {
        if (number === stopAt) throw new Error('the power went')
        read.push(number)
        return new Uint8Array(noise(`frame ${number}`, 50_000))
      },
    }))
    const pack = await writePack({ folder, recipe: 'test', drafts, pool, level: 3, subject: 'disk' })
    return (
      pack && { ...pack, frames: [...pack.frames].map((frame) => ({ ...frame, digest: Buffer.from(frame.digest) })) }
    )
  }
  return { folder, read, write }
}

describe('writePack', () => {
  test('goes on where an interrupted run ended, and gives the same pack', async (t) => {
    const { folder, read, write } = await prepare(t)
    const other = await prepare(t)
    const whole = await other.write()
    await assert.rejects(write(6), /the power went/)
    const [partial = ''] = (await listTree(folder)).filter((name) => /^[0-9a-f]{64}\.partial$/.test(name))
    assert.ok(partial)
    const resumed = await write()
    assert.equal(resumed?.sha256, whole?.sha256)
    assert.ok(read.length > 0 && read.length < FRAMES, `read ${read.length} frames again`)
    assert.equal(sha256(await readFile(resumed?.file ?? '')), resumed?.sha256)
    assert.deepEqual(resumed?.frames, whole?.frames)
  })

  test('takes nothing over that is not what its journal says', async (t) => {
    const { folder, read, write } = await prepare(t)
    await assert.rejects(write(6))
    const [partial = ''] = (await listTree(folder)).filter((name) => /^[0-9a-f]{64}\.partial$/.test(name))
    await truncate(`${folder}/${partial}`, 60_000)
    const resumed = await write()
    assert.equal(read.length, FRAMES - 1)
    assert.equal(sha256(await readFile(resumed?.file ?? '')), resumed?.sha256)
  })

  test('makes no frame again of a pack that is finished and not yet published', async (t) => {
    const { read, write } = await prepare(t)
    const first = await write()
    assert.deepEqual(await write(), first)
    assert.equal(read.length, 0)
    await writeFile(first?.file ?? '', 'damaged since')
    assert.deepEqual((await write())?.frames, first?.frames)
    assert.equal(sha256(await readFile(first?.file ?? '')), first?.sha256)
  })

  test('writes nothing for nothing', async (t) => {
    const folder = await makeTempFolder(t)
    await using pool = new FramePool(1)
    const options = { folder, recipe: '', drafts: [], pool, level: 3, subject: 'disk' }
    assert.equal(await writePack(options), undefined)
    assert.deepEqual(await listTree(folder), [])
  })
})
