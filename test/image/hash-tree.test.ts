import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { open, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { appendHashTree, readRootHash } from '../../src/image/hash-tree.ts'
import { dataBlocksOf } from '../../src/model/verity.ts'
import { realProcesses } from '../support/real-processes.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const BLOCK = 4096
const found = await realProcesses.run('sh', ['-c', 'PATH=$PATH:/usr/sbin:/sbin; command -v veritysetup'])
const veritysetup = found.stdout.trim()

async function makeFile(t: TestContext, bytes: Uint8Array): Promise<string> {
  const path = join(await makeTempFolder(t), 'root')
  await writeFile(path, bytes)
  return path
}

/** What dm-verity's own tool says of data and tree in one file. */
async function verify(path: string, blocks: number, root: string): Promise<number> {
  const layout = ['--no-superblock', '--salt=-', `--data-blocks=${blocks}`, `--hash-offset=${blocks * BLOCK}`]
  return (await realProcesses.run(veritysetup, ['verify', ...layout, path, path, root])).exitCode ?? -1
}

async function flip(path: string, at: number): Promise<void> {
  const file = await open(path, 'r+')
  try {
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, at)
    await file.write(Buffer.of(buffer.readUInt8(0) ^ 1), 0, 1, at)
  } finally {
    await file.close()
  }
}

describe('a hash tree', () => {
  // Around the ends of blocks of hashes and of the parts that are read at once.
  for (const blocks of [2, 127, 128, 129, 256, 257, 128 ** 2, 128 ** 2 + 1]) {
    test(`over ${blocks} blocks is what veritysetup expects`, {
      skip: veritysetup === '' && 'veritysetup (cryptsetup-bin) missing',
    }, async (t) => {
      const path = await makeFile(t, randomBytes(blocks * BLOCK))
      await appendHashTree(path)
      const root = await readRootHash(path)
      assert.ok(root !== undefined)
      assert.equal(dataBlocksOf((await stat(path)).size), blocks)
      assert.equal(await verify(path, blocks, root), 0)
      await flip(path, blocks * BLOCK - 1)
      assert.notEqual(await verify(path, blocks, root), 0)
    })
  }

  test('over one block is that block’s own digest', async (t) => {
    const path = await makeFile(t, Buffer.alloc(BLOCK))
    await appendHashTree(path)
    assert.equal((await stat(path)).size, BLOCK)
    // sha256sum of 4096 zeros
    assert.equal(await readRootHash(path), 'ad7facb2586fc6e966c004d7d1d16b024f5805ff7cb47c7a85dabd8b48892ca7')
  })

  test('stands behind data that end within a block, filled up with zeros', async (t) => {
    const data = randomBytes(5000)
    const path = await makeFile(t, data)
    await appendHashTree(path)
    const bytes = await readFile(path)
    assert.equal(bytes.length, 3 * BLOCK)
    assert.deepEqual(bytes.subarray(0, 5000), data)
    assert.ok(bytes.subarray(5000, 2 * BLOCK).every((byte) => byte === 0))
  })

  test('does not belong to a file of which any byte was changed', async (t) => {
    const path = await makeFile(t, randomBytes(300 * BLOCK))
    await appendHashTree(path)
    const { size } = await stat(path)
    const root = await readRootHash(path)
    for (const at of [0, 299 * BLOCK, 300 * BLOCK, 301 * BLOCK + 5, size - 1]) {
      await flip(path, at)
      assert.equal(await readRootHash(path), undefined, String(at))
      await flip(path, at)
    }
    assert.equal(await readRootHash(path), root)
    await writeFile(path, Buffer.alloc(2 * BLOCK))
    assert.equal(await readRootHash(path), undefined, 'no size of data with a tree')
  })
})
