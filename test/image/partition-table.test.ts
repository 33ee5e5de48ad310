import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { open, readFile, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { DISK_HEAD_BYTES, moveGpt, readDiskContents } from '../../src/image/partition-table.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const MIB = 2 ** 20

async function makeDisk(folder: string, name: string, script: string, mib = 64): Promise<string> {
  const path = join(folder, name)
  await truncate(path, 0).catch(() => {})
  await using file = await open(path, 'w')
  await file.truncate(mib * MIB)
  if (script !== '') execFileSync('sfdisk', ['-q', path], { input: script })
  return path
}

async function headOf(path: string): Promise<Buffer> {
  return (await readFile(path)).subarray(0, DISK_HEAD_BYTES)
}

interface Listed {
  readonly partitiontable: {
    readonly lastlba?: number
    readonly partitions: readonly { start: number; size: number; name?: string; type: string; uuid?: string }[]
  }
}

function listed(path: string): Listed['partitiontable'] {
  return (JSON.parse(execFileSync('sfdisk', ['-J', path]).toString()) as Listed).partitiontable
}

describe('readDiskContents', () => {
  test('reads partitions as sfdisk does', async (t) => {
    const folder = await makeTempFolder(t)
    const sizes = 'size=5M,name="root ä"\nsize=10M,type=swap\nsize=7M\n'
    for (const label of ['gpt', 'dos']) {
      const path = await makeDisk(
        folder,
        label,
        `label: ${label}\n${label === 'dos' ? sizes.replace(/,name=[^\n]*/, '') : sizes}`,
      )
      const { kind, partitions, neededBytes = 0 } = readDiskContents(await headOf(path))
      assert.equal(kind, label === 'dos' ? 'mbr' : 'gpt')
      const oracle = listed(path).partitions
      assert.deepEqual(
        partitions.map(({ start, end, name, type }) => [start, end, name, type.toUpperCase()]),
        oracle.map(({ start, size, name = '', type }) => [
          start * 512,
          (start + size) * 512,
          name,
          label === 'gpt' ? type : type.toUpperCase().padStart(2, '0'),
        ]),
      )
      const end = Math.max(...partitions.map((one) => one.end))
      assert.equal(neededBytes - end, label === 'gpt' ? 33 * 512 : 0)
    }
  })

  test('knows how long a file system on the whole disk is, and what says nothing of it', async (t) => {
    const folder = await makeTempFolder(t)
    const ext = await makeDisk(folder, 'ext', '')
    execFileSync('mke2fs', ['-q', '-F', ext, '40M'])
    assert.deepEqual(readDiskContents(await headOf(ext)), { kind: 'ext', partitions: [], neededBytes: 40 * MIB })
    const swap = await makeDisk(folder, 'swap', '')
    execFileSync('mkswap', ['-q', swap])
    assert.equal(readDiskContents(await headOf(swap)).kind, 'whole disk')
    const fat = await makeDisk(folder, 'fat', '')
    execFileSync('mkfs.fat', [fat])
    assert.equal(readDiskContents(await headOf(fat)).kind, 'unknown')
    assert.equal(readDiskContents(Buffer.alloc(DISK_HEAD_BYTES)).kind, 'unknown')
    assert.equal(readDiskContents(Buffer.alloc(0)).kind, 'unknown')
  })

  test('a GPT with one wrong bit is damaged, wherever it is', async (t) => {
    const head = await headOf(await makeDisk(await makeTempFolder(t), 'disk', 'label: gpt\nsize=5M\n'))
    for (const at of [512 + 9, 512 + 72, 1024 + 40]) {
      const wrong = Buffer.from(head)
      wrong[at] = (wrong[at] ?? 0) ^ 1
      assert.equal(readDiskContents(wrong).kind, 'damaged gpt', String(at))
      assert.deepEqual(moveGpt(wrong, 128 * MIB), [])
    }
  })

  test('no bytes make it fail', () => {
    const mark = fc.constantFrom('EFI PART', 'XFSB', 'NTFS    ', 'U\xaa', 'LUKS\xba\xbe', '')
    const place = fc.constantFrom(0, 3, 510, 512, 4096)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 8192 }), mark, place, (bytes, text, at) => {
        const head = Buffer.alloc(DISK_HEAD_BYTES)
        head.set(bytes)
        head.write(text, at, 'latin1')
        const { partitions } = readDiskContents(head.subarray(0, bytes.length % 3 === 0 ? bytes.length : undefined))
        for (const { start, end } of partitions) assert.ok(Number.isFinite(start) && Number.isFinite(end))
        moveGpt(head, 64 * MIB)
      }),
      { numRuns: 300 },
    )
  })
})

describe('moveGpt', () => {
  test('fits a table to any other size, so that sfdisk finds no fault and the same partitions', async (t) => {
    const folder = await makeTempFolder(t)
    const path = await makeDisk(folder, 'disk', 'label: gpt\nsize=5M,name=root\nsize=10M\n')
    const before = listed(path).partitions
    for (const mib of [200, 17]) {
      const writes = moveGpt(await headOf(path), mib * MIB)
      await truncate(path, mib * MIB)
      await using file = await open(path, 'r+')
      for (const { offset, bytes } of writes) await file.write(bytes, 0, bytes.length, offset)
      const said = execFileSync('sfdisk', ['--verify', path], { stdio: ['ignore', 'pipe', 'pipe'] }).toString()
      assert.match(said, /No errors detected/)
      assert.deepEqual(listed(path).partitions, before)
      assert.equal(listed(path).lastlba, mib * 2048 - 34)
      assert.equal((await headOf(path)).readUInt32LE(446 + 12), mib * 2048 - 1)
    }
  })

  test('leaves a hybrid MBR alone', async (t) => {
    const head = await headOf(await makeDisk(await makeTempFolder(t), 'disk', 'label: gpt\nsize=5M\n'))
    head[446 + 16 + 4] = 0x83
    assert.ok(moveGpt(head, 128 * MIB).every(({ offset }) => offset > 0))
  })
})
