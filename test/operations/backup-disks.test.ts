import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { readStill } from '../../src/operations/backup-disks.ts'
import { noise } from '../support/disk-image.ts'

test('an image of the store is read to its end, however many reads that takes', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'vmpkg-still-'))
  try {
    const file = join(folder, 'image')
    const content = noise('still', 24 * 1024 ** 2)
    await writeFile(file, content)
    const added: Buffer[] = []
    const disk = { kind: 'boot', target: 'vda', path: file, format: 'raw', size: content.length, layers: [{ file }] }
    const writer = {
      add: async (_digest: string, bytes: Buffer) => void added.push(Buffer.from(bytes)),
      use: () => true,
    }
    const { readBytes } = await readStill(disk as never, writer as never, { at: () => {} } as never)
    assert.equal(readBytes, content.length)
    assert.equal(Buffer.concat(added).equals(content), true)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
