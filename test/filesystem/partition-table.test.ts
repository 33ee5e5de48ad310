import assert from 'node:assert/strict'
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { readPartitionTable, TABLE_BYTES } from '../../src/filesystem/partition-table.ts'
import { makeFilesystem, run } from '../support/guest-disk.ts'
import { Random } from '../support/random.ts'

const folder = mkdtempSync(join(tmpdir(), 'vmpkg-tables-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const SIZE = 256 * 1024 ** 2

async function tableOf(file: string): Promise<Awaited<ReturnType<typeof readPartitionTable>>> {
  const descriptor = openSync(file, 'r')
  const read = (offset: number, length: number): Buffer => {
    const bytes = Buffer.alloc(length)
    return bytes.subarray(0, readSync(descriptor, bytes, 0, length, offset))
  }
  try {
    return await readPartitionTable(read(0, TABLE_BYTES), SIZE, async (offset, length) => read(offset, length))
  } finally {
    closeSync(descriptor)
  }
}

interface SfdiskRow {
  readonly node: string
  readonly start: number
  readonly size: number
  readonly type: string
}

for (const [label, script] of [
  ['gpt', 'size=10MiB\nsize=20MiB\nsize=30MiB, attrs=LegacyBIOSBootable\n'],
  ['dos', 'size=10MiB, bootable\nsize=20MiB\n'],
  ['dos', '1 : size=10MiB\n2 : size=200MiB, type=5\n5 : size=20MiB\n6 : size=30MiB\n7 : size=40MiB\n'],
] as const) {
  test(`a table of ${label} gives the partitions that sfdisk gives: ${JSON.stringify(script)}`, async () => {
    const file = join(folder, 'disk.raw')
    writeFileSync(file, '')
    truncateSync(file, SIZE)
    run('sfdisk', ['-q', file], `label: ${label}\n${script}`)
    const { partitiontable } = JSON.parse(run('sfdisk', ['--json', file])) as {
      partitiontable: { partitions: readonly SfdiskRow[] }
    }
    const expected = partitiontable.partitions
      .filter(({ type }) => type !== '5')
      .map(({ node, start, size }) => ({
        number: Number(/\d+$/.exec(node.slice(file.length))?.[0]),
        offset: start * 512,
        bytes: size * 512,
      }))
    const { kind, partitions } = await tableOf(file)
    assert.equal(kind, label === 'dos' ? 'msdos' : 'gpt')
    assert.deepEqual(partitions, expected)
  })
}

test('a disk without a table is one file system, though fat ends its first sector like a table', async () => {
  for (const kind of ['ext', 'fat', 'ntfs'] as const) {
    const file = join(folder, `${kind}.raw`)
    makeFilesystem(kind, file, { '/a': 'b' })
    assert.deepEqual(await tableOf(file), { kind: 'none', partitions: [{ number: 0, offset: 0, bytes: SIZE }] })
  }
})

test('a table made of any bytes gives partitions inside the disk and ends', async () => {
  const file = join(folder, 'disk.raw')
  const head = readFileSync(file).subarray(0, TABLE_BYTES)
  for (let seed = 1; seed <= 300; seed++) {
    const random = new Random(seed)
    const bytes = Buffer.from(head)
    for (let change = 0; change < 40; change++) bytes[random.below(2048)] = random.below(256)
    bytes.writeUInt16LE(0xaa55, 510)
    let reads = 0
    const { partitions } = await readPartitionTable(bytes, SIZE, async (offset, length) => {
      reads++
      return bytes.subarray(offset % 4096, (offset % 4096) + length)
    })
    assert.ok(partitions.length <= 1024 && reads <= 1024, `${seed}: ${partitions.length} ${reads}`)
    for (const { number, offset, bytes: length } of partitions) {
      assert.ok(offset < SIZE && length > 0 && (offset > 0 || number === 0), `${seed}`)
    }
  }
})
